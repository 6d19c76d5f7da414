// The largest differences to transformers for every case, written to results/published/models/families.json, and the table of families in the README beside
// it printed: node dist/test/reference/transformers/report.js
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { packageRoot } from "../../../lib/checkpoint/package-root.js";
import { load } from "../../../lib/runtime/model.js";
import { cases, checkpointOf, compare, configOf, reference, type Differences } from "./cases.js";

interface Row extends Differences {
  readonly case: string;
  readonly model_type: string;
  readonly attention: "fused" | "plain";
}

const kinds = ["prefill", "decode", "pruned", "prunedDecode"] as const;
const file = join(packageRoot(), "results", "published", "models", "families.json");
const rows: Row[] = [];
for (const name of Object.keys(cases.cases)) {
  const checkpoint = checkpointOf(name);
  try {
    for (const attention of ["fused", "plain"] as const) {
      const model = await load(checkpoint.folder, { attention, threads: 1 });
      const differences = await compare(name, model);
      await model.release();
      rows.push({ case: name, model_type: configOf(name)["model_type"] as string, attention, ...differences });
    }
  } finally {
    checkpoint.remove();
  }
}

const lines = rows.map((row) => `  ${JSON.stringify(row, (_, value: unknown) => (typeof value === "number" ? Number(value.toPrecision(3)) : value))}`);
mkdirSync(dirname(file), { recursive: true });
writeFileSync(file, `{"transformers": "${reference.transformers}", "torch": "${reference.torch}", "promptTokens": ${cases.prompt.length}, "decodedTokens": ${cases.steps.flat().length}, "cases": [\n${lines.join(",\n")}\n]}\n`);

console.log("| `model_type` | configurations | prompt | decoded | pruned prompt | decoded after it |\n|---|---|---|---|---|---|");
for (const type of new Set(rows.map(({ model_type }) => model_type))) {
  const own = rows.filter(({ model_type }) => model_type === type);
  const largest = kinds.map((kind) => Math.max(...own.map((row) => row[kind])).toExponential(1));
  console.log(`| ${type} | ${new Set(own.map((row) => row.case)).size} | ${largest.join(" | ")} |`);
}
