import { join } from "node:path";
import { writeOutput } from "../../lib/files.js";
import { formatJson } from "../../lib/format-json.js";
import { picture } from "../../lib/report/views/picture/index.js";
import { chartName, peersFigure, peersPage, placesOf } from "./report.js";
import type { PeersResult } from "./result.js";

/** Writes the result, its page and its charts into a folder. @returns the files */
export async function writeReport(folder: string, result: PeersResult): Promise<string[]> {
  const charts = placesOf(result).filter((rows) => rows.some(({ figures }) => figures !== null)).map((rows) => ({ name: chartName(rows[0]!), content: picture(peersFigure(result, rows))!.svg }));
  const files = [{ name: "peers.json", content: formatJson(result) }, { name: "README.md", content: peersPage(result) }, ...charts];
  for (const { name, content } of files) await writeOutput(join(folder, name), content);
  return files.map(({ name }) => join(folder, name));
}
