// The largest differences to transformers for every case, printed and written to results/published/models/families.json:
// node dist/test/reference/transformers/report.js
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { packageRoot } from "../../../lib/checkpoint/package-root.js";
import { load } from "../../../lib/runtime/model.js";
import { cases, checkpointOf, compare, configOf, reference } from "./cases.js";

const file = join(packageRoot(), "results", "published", "models", "families.json");
const rows: Record<string, unknown>[] = [];
for (const name of Object.keys(cases.cases)) {
  const checkpoint = checkpointOf(name);
  try {
    for (const attention of ["fused", "plain"] as const) {
      const model = await load(checkpoint.folder, { attention, threads: 1 });
      const differences = await compare(name, model);
      await model.release();
      rows.push({ case: name, model_type: configOf(name)["model_type"], attention, ...Object.fromEntries(Object.entries(differences).map(([what, value]) => [what, Number(value.toPrecision(3))])) });
    }
  } finally {
    checkpoint.remove();
  }
}
console.table(rows);
mkdirSync(dirname(file), { recursive: true });
const lines = rows.map((row) => `  ${JSON.stringify(row)}`).join(",\n");
writeFileSync(file, `{"transformers": "${reference.transformers}", "torch": "${reference.torch}", "promptTokens": ${cases.prompt.length}, "decodedTokens": ${cases.steps.flat().length}, "cases": [\n${lines}\n]}\n`);
