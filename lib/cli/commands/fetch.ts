import { join } from "node:path";
import type { Command } from "commander";
import { cacheFolder } from "../../checkpoint/cache.js";
import { formatBytes } from "../../checkpoint/free-space.js";
import { hubSettings } from "../../checkpoint/hub/settings.js";
import { detachable } from "../detach.js";
import { interruptSignal } from "../interrupt.js";

interface Options {
  revision?: string;
  include?: string[];
  dataset?: string;
  json?: boolean;
}

/** `sdtp fetch`: a model of the hub, or evaluation data, onto this machine. */
export function register(program: Command): void {
  detachable(program
    .command("fetch")
    .description("bring a model from the hub into its usual cache, or a data set for evaluation (HF_ENDPOINT, HF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_HUB_OFFLINE count)")
    .argument("[id]", "org/name, or org/name:file.gguf")
    .option("--revision <name>", "branch, tag or commit (default: main)")
    .option("--include <pattern...>", "files, with * and ? (default: what is used here: configuration, tokenizer, one set of weights)")
    .option("--dataset <name>", "longbench, longbench-e, longbench-v2, squad, hotpotqa; or org/name:file of any data set")
    .option("--json", "print JSON"), { results }, fetchIt);
}

/** The cache that it goes to, and there its name, which tells it from others. */
const results = ({ dataset }: Options, [id]: [string | undefined, ...unknown[]]) => join(dataset === undefined ? hubSettings().cache : cacheFolder(), (dataset ?? id ?? "").replaceAll(/[^\w.-]+/g, "--"));

async function fetchIt(id: string | undefined, options: Options): Promise<void> {
  if ((id === undefined) === (options.dataset === undefined)) throw new Error("fetch: give either the name of a model (org/name) or --dataset");
  if (options.dataset !== undefined && (options.include || options.revision !== undefined)) throw new Error("fetch: --dataset goes without --revision and --include");
  const signal = interruptSignal();
  const { progressBar } = await import("../progress.js");
  const bar = progressBar();
  const onFetch = ({ done, total, file }: { done: number; total: number; file: string }) => bar.update(total === 0 ? 1 : done / total, `${file} (${formatBytes(done)} of ${formatBytes(total)})`);
  try {
    if (options.dataset !== undefined) {
      const { fetchDataset } = await import("../../evaluate/data/fetch.js");
      const { files } = await fetchDataset(options.dataset, { onFetch, signal });
      bar.stop();
      if (options.json) console.log(JSON.stringify({ dataset: options.dataset, files }, null, 2));
      else for (const { file, records } of files) console.log(`${String(records).padStart(7)} records  ${file}`);
      return;
    }
    const [{ parseHubName }, { fetchRepository }] = await Promise.all([import("../../checkpoint/hub/name.js"), import("../../checkpoint/hub/fetch.js")]);
    const name = parseHubName(id!);
    if (name === null) throw new Error(`fetch: ${id} (must be org/name, or org/name:file.gguf)`);
    const wanted = options.revision === undefined ? name : { ...name, revision: options.revision };
    const { folder, commit, files } = await fetchRepository(wanted, { onFetch, signal, ...(options.include && { include: options.include }) });
    bar.stop();
    if (options.json) return console.log(JSON.stringify({ id: name.id, revision: wanted.revision, commit, folder, files }, null, 2));
    for (const { path, bytes, fetched } of files) console.log(`${formatBytes(bytes).padStart(9)}  ${fetched ? "fetched" : "there  "}  ${path}`);
    console.log(folder);
  } finally {
    bar.stop();
  }
}
