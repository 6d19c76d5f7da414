import { checkPath, parseHubName, type HubName } from "../../checkpoint/hub/name.js";

/** A set of evaluation data on the hub. */
export interface DataSource {
  readonly repository: HubName;
  /** The file of the repository that holds it. */
  readonly path: string;
  /** What it may be called where the repository has been laid out anew. */
  readonly like?: RegExp;
  /** Of a zip archive, the entries that belong to it. */
  readonly entries: RegExp;
  /** What its records are called here, where there is only one file of them. */
  readonly label: string;
}

const dataset = (id: string): HubName => ({ type: "dataset", id, revision: "main", file: null });
const longbench = { repository: dataset("THUDM/LongBench"), path: "data.zip", like: /(^|\/)data[^/]*\.zip$/ };

/** LongBench (arXiv:2308.14508, arXiv:2412.15204), and the two question sets that RULER puts into long contexts (arXiv:2404.06654). */
const known: Readonly<Record<string, DataSource>> = {
  "longbench": { ...longbench, entries: /(?<!_e)\.jsonl$/, label: "longbench" },
  "longbench-e": { ...longbench, entries: /_e\.jsonl$/, label: "longbench-e" },
  "longbench-v2": { repository: dataset("THUDM/LongBench-v2"), path: "data.json", like: /(^|\/)(data|test|train)[^/]*\.(json|jsonl|parquet)$/, entries: /./, label: "longbench-v2" },
  "squad": { repository: dataset("rajpurkar/squad_v2"), path: "squad_v2/validation-00000-of-00001.parquet", like: /(^|\/)validation[^/]*\.parquet$/, entries: /./, label: "squad" },
  "hotpotqa": { repository: dataset("hotpotqa/hotpot_qa"), path: "distractor/validation-00000-of-00001.parquet", like: /^distractor\/.*validation[^/]*\.parquet$|^(?!fullwiki).*validation[^/]*\.parquet$/, entries: /./, label: "hotpotqa" },
};

export const datasetNames = Object.keys(known);

/** Of the files that are there the one that holds a data set; undefined: none does. */
export function fileOf({ path, like }: DataSource, files: readonly string[]): string | undefined {
  return files.includes(path) ? path : like && [...files].sort().find((file) => like.test(file));
}

/** @param name one of those known, or `org/name:file` @throws on another */
export function sourceNamed(name: string): DataSource {
  if (Object.hasOwn(known, name)) return known[name]!;
  const hub = parseHubName(name);
  if (hub?.file == null) throw new Error(`data set: ${name} (known: ${datasetNames.join(", ")}; or org/name:file of one on the hub)`);
  checkPath(hub.file, name);
  const label = hub.file.split("/").at(-1)!.replace(/\.(jsonl|json|parquet|zip)$/, "");
  return { repository: { ...hub, type: "dataset", file: null }, path: hub.file, entries: /\.jsonl?$/, label };
}
