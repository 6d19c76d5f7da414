// Makes texts.txt: `npm run build && node lib/runtime/gptq/make-texts.mjs`. Documents that the embedded model was trained on (none of those that
// quality is measured on), and documentation and code of this project as they were when the file was made.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadCorpus } from "../../../dist/lib/train/corpus.js";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..", "..", "..");
const CHARACTERS = 3000;

/** About so many characters from a place, from the start of a line to the end of one. */
function piece(text, share) {
  const start = text.indexOf("\n", Math.floor(share * Math.max(0, text.length - CHARACTERS))) + 1;
  const part = text.slice(share === 0 ? 0 : start, (share === 0 ? 0 : start) + CHARACTERS);
  return part.slice(0, part.lastIndexOf("\n") > CHARACTERS / 2 ? part.lastIndexOf("\n") : part.lastIndexOf(" ")).trim();
}

const { train } = loadCorpus();
const [speeches, chapters] = [train.filter((text) => /^.*, \d{4}\n/.test(text)), train.filter((text) => !/^.*, \d{4}\n/.test(text))].map((list) => list.filter(({ length }) => length > 1.5 * CHARACTERS));
const spread = (list, count) => Array.from({ length: count }, (_, i) => list[Math.floor(((i + 0.5) * list.length) / count)]);
const file = (path) => readFileSync(join(root, path), "utf8");
const texts = [
  ...spread(chapters, 5).map((text, i) => piece(text, i / 5)),
  ...spread(speeches, 5).map((text, i) => piece(text, i / 5)),
  ...["README.md", "lib/methods/README.md", "kernel/README.md"].map((path) => piece(file(path), 0.5)),
  ...["lib/checkpoint/cache.ts", "lib/runtime/layer-cache.ts", "lib/decoder/rotary.ts"].map((path) => piece(file(path), 0)),
];
// Code and documentation in between, so that the first texts alone are of every kind.
const order = texts.map((_, i) => i).sort((a, b) => ((a * 5) % texts.length) - ((b * 5) % texts.length));
writeFileSync(join(here, "texts.txt"), `${order.map((i) => texts[i]).join("\n\f\n")}\n`);
