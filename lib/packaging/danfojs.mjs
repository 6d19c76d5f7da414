// Makes dist/node_modules/danfojs-node: danfojs-node in one file, its dependencies inside. A project that depends on
// this package does not get its `overrides`, and without them danfojs-node downloads a tarball and libtensorflow from
// elsewhere than the registry. Node, and TypeScript, find it there from everything in dist.
import { createHash } from "node:crypto";
import { cpSync, existsSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const target = join(root, "dist", "node_modules", "danfojs-node");

/** Bundles it, where it is not there yet or other versions are installed by now. */
export async function bundleDanfojs() {
  const source = join(root, "node_modules", "danfojs-node");
  const { name, version, description, license, author, repository, main, types } = readJson(join(source, "package.json"));
  const built = join(target, "package.json");
  const builtFrom = hash(join(root, "package-lock.json"), fileURLToPath(import.meta.url));
  if (existsSync(built) && readJson(built).builtFrom === builtFrom) return;

  const { build } = await import("esbuild");
  const folder = `${target}.${process.pid}`;
  rmSync(folder, { recursive: true, force: true });
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [join(source, main)],
    outfile: join(folder, main),
    bundle: true,
    platform: "node",
    target: "node20",
    // Values are recognised by the names of their classes, and stack traces can be read.
    keepNames: true,
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: "eof",
    metafile: true,
    // Only for plots in a browser.
    external: ["plotly.js-dist-min"],
    logLevel: "error",
  });
  const typesOnly = (path) => path.endsWith(".d.ts") || statSync(path).isDirectory();
  cpSync(join(source, "dist"), join(folder, "dist"), { recursive: true, filter: typesOnly });
  writeFileSync(join(folder, "THIRD-PARTY-LICENSES.txt"), licenses(Object.keys(metafile.inputs)));
  const manifest = { name, version, description, license, author, repository, main, types, builtFrom };
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  rmSync(target, { recursive: true, force: true });
  renameSync(folder, target);
}

/** The licence of every package that a file came from. */
function licenses(files) {
  const folders = new Set(files.map((file) => /^.*node_modules\/(@[^/]+\/)?[^/]+/.exec(file)[0]));
  return [...folders].sort().map((folder) => {
    const { name, version, license = "see below", author } = readJson(join(root, folder, "package.json"));
    const texts = readdirSync(join(root, folder)).filter((file) => /^(licen[cs]e|copying|notice)/i.test(file)).sort();
    const by = typeof author === "object" ? author.name : author;
    const head = `${name} ${version}: ${license}${by ? `, ${by}` : ""}`;
    return [head, ...texts.map((file) => readFileSync(join(root, folder, file), "utf8").trim())].join("\n\n");
  }).join(`\n\n${"-".repeat(80)}\n\n`) + "\n";
}

function hash(...files) {
  return files.reduce((sum, file) => sum.update(readFileSync(file)), createHash("sha256")).digest("hex");
}

function readJson(file) {
  return JSON.parse(readFileSync(file, "utf8"));
}
