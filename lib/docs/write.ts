// `npm run docs`: the API reference, built from the doc comments into one page.
import { readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { packageRoot } from "../checkpoint/package-root.js";
import { writeOutput } from "../files.js";
import { extract } from "./extract.js";
import { apiPage } from "./page.js";

const root = packageRoot();
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
const file = join(root, "dist", "docs", "api.html");
const entries = extract();
await writeOutput(file, apiPage(entries, version));
process.stderr.write(`written: ${relative(process.cwd(), file)} (${entries.length} names)\n`);
