// Builds JupyterLab's front end from its npm packages into frontend.zip, which the package ships:
// `npm ci && node build.mjs [FILE]` in this folder. Only whoever changes the front end needs it.
//
// The zip holds static/ (scripts, fonts, each named by its content), themes/, schemas.json (the settings' schemas by
// plugin), entry.json (the scripts of the page, the version), and licenses.txt. The server sends its members as they are: deflated.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, relative } from "node:path";
import { rspack } from "@rspack/core";
import { zipSync } from "fflate";
import { LicenseWebpackPlugin } from "license-webpack-plugin";
import svgToDataUri from "mini-svg-data-uri";

const here = import.meta.dirname;
const require = createRequire(join(here, "package.json"));
const target = process.argv[2] ?? join(here, "..", "frontend.zip");
const work = join(here, "build");
const json = (file) => JSON.parse(readFileSync(file, "utf8"));

/** Every dependency that is an extension of JupyterLab. */
const extensions = Object.keys(json(join(here, "package.json")).dependencies)
  .map((name) => ({ name, folder: join(here, "node_modules", name) }))
  // Its own plugin is not in its package: anywidget.js stands for it.
  .filter(({ name }) => name !== "anywidget")
  .map((each) => ({ ...each, data: json(join(each.folder, "package.json")) }))
  .filter(({ data }) => data.jupyterlab?.extension || data.jupyterlab?.mimeExtension);

const moduleOf = (name, entry) => (entry === true ? name : `${name}/${entry.replace(/^\.\//, "")}`);
const themes = extensions.filter(({ data }) => data.jupyterlab.themePath);

rmSync(work, { recursive: true, force: true });
mkdirSync(join(work, "out"), { recursive: true });
writeFileSync(join(work, "style.js"), extensions.map(({ name, data }) => data.styleModule ?? data.style).map((style, at) => (style ? `import ${JSON.stringify(`${extensions[at].name}/${style}`)};\n` : "")).join(""));
writeFileSync(join(work, "extensions.js"), `${["extension", "mimeExtension"].map((kind) => `
export const ${kind}s = () => Promise.all([
${extensions.filter(({ data }) => data.jupyterlab[kind]).map(({ name, data }) => `  import(/* webpackMode: "eager" */ ${JSON.stringify(moduleOf(name, data.jupyterlab[kind]))}).then((module) => [${JSON.stringify(name)}, module]),`).join("\n")}
]);`).join("\n")}
`);

const svg = { dataUrl: { content: (source) => svgToDataUri(source.content ?? source.toString()), mimetype: "image/svg+xml" } };
const asset = { test: /\.(jpg|png|gif|woff2?|ttf|eot)(\?v=\d+\.\d+\.\d+)?$/, type: "asset/resource" };
const common = {
  context: here,
  mode: "production",
  devtool: false,
  resolve: {
    modules: [join(here, "node_modules")],
    alias: { "sdtp-style": join(work, "style.js"), "sdtp-extensions": join(work, "extensions.js") },
    fallback: { url: false, buffer: false, crypto: false, path: require.resolve("path-browserify"), process: require.resolve("process/browser.js") },
  },
  performance: { hints: false },
};

const lab = {
  ...common,
  name: "lab",
  entry: { main: [join(here, "public-path.js"), join(here, "main.js")] },
  output: { path: join(work, "out", "static"), filename: "[name].[contenthash].js", chunkFilename: "[contenthash].js", assetModuleFilename: "[hash][ext]", hashFunction: "xxhash64", publicPath: "" },
  module: {
    rules: [
      { test: /(?<!\.raw)\.css$/, use: ["style-loader", "css-loader"], type: "javascript/auto" },
      { test: /\.raw\.css$/, type: "asset/source" },
      { test: /\.(txt|md)$/, type: "asset/source" },
      asset,
      // The icon font's copies for browsers that cannot read woff2 are SVG files of almost a megabyte: as files, never inline.
      { test: /\.svg(\?v=\d+\.\d+\.\d+)?$/, issuer: /\.css$/, type: "asset", generator: svg },
      { test: /\.svg(\?v=\d+\.\d+\.\d+)?$/, issuer: /\.js$/, type: "asset/source" },
      { test: /\.[cm]?js$/, type: "javascript/auto", resolve: { fullySpecified: false } },
    ],
  },
  externals: ["ws"],
  // anywidget's package is an AMD module.
  amd: {},
  optimization: { splitChunks: { chunks: "async", minSize: 60_000 }, moduleIds: "deterministic", chunkIds: "deterministic" },
  plugins: [
    new rspack.DefinePlugin({ ANYWIDGET_VERSION: JSON.stringify(json(join(here, "node_modules/anywidget/package.json")).version) }),
    new rspack.ProvidePlugin({ process: require.resolve("process/browser.js") }),
    new LicenseWebpackPlugin({ perChunkOutput: false, outputFilename: "licenses.txt", handleMissingLicenseText: (name, type) => `(${type}; the package has no text of it)` }),
  ],
};

const themed = themes.map(({ name, folder, data }) => ({
  ...common,
  name,
  entry: { index: join(folder, data.jupyterlab.themePath) },
  output: { path: join(work, "out", "themes", name), filename: "[name].js", assetModuleFilename: "[hash][ext]", hashFunction: "xxhash64" },
  module: { rules: [{ test: /\.css$/, use: [rspack.CssExtractRspackPlugin.loader, "css-loader"], type: "javascript/auto" }, { test: /\.svg/, type: "asset/inline", generator: svg }, asset] },
  plugins: [new rspack.CssExtractRspackPlugin()],
}));

const stats = await new Promise((resolve, reject) => rspack([lab, ...themed], (error, done) => (error ? reject(error) : resolve(done))));
const problems = stats.toJson({ all: false, errors: true }).children.flatMap(({ errors }) => errors);
if (problems.length > 0) throw new Error(problems.map(({ message }) => message).join("\n"));

const schemas = Object.fromEntries(extensions.flatMap(({ name, folder, data }) => {
  if (!data.jupyterlab.schemaDir) return [];
  const dir = join(folder, data.jupyterlab.schemaDir);
  return readdirSync(dir).filter((file) => file.endsWith(".json")).sort().map((file) => [`${name}:${basename(file, ".json")}`, { version: data.version, schema: json(join(dir, file)) }]);
}));
const out = join(work, "out");
const files = readdirSync(out, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
// Old fonts' formats: every browser that runs JupyterLab reads woff2 or woff.
const needless = (file) => /\.(eot|ttf)$/.test(file) || /themes.*\.js$/.test(file) || (/\.svg$/.test(file) && readFileSync(file, "utf8").includes("<font "));
const members = Object.fromEntries(files.filter((file) => !needless(file)).map((file) => [relative(out, file).replaceAll("\\", "/"), readFileSync(file)]).sort(([a], [b]) => (a < b ? -1 : 1)));
const licenses = members["static/licenses.txt"];
delete members["static/licenses.txt"];
const main = Object.keys(members).filter((name) => /^static\/main\..*\.js$/.test(name));
const text = (value) => Buffer.from(JSON.stringify(value));
const all = {
  "entry.json": text({ version: json(join(here, "node_modules/@jupyterlab/application/package.json")).version, scripts: main }),
  "schemas.json": text(schemas),
  "licenses.txt": licenses,
  ...members,
};
// A fixed date, so that the same sources give the same bytes.
writeFileSync(target, zipSync(all, { level: 9, mtime: new Date("2020-01-01T00:00:00Z") }));
rmSync(work, { recursive: true, force: true });
const bytes = readFileSync(target);
const unpacked = Object.values(all).reduce((sum, data) => sum + data.length, 0);
console.log(`${target}: ${Object.keys(all).length} files, ${(unpacked / 1e6).toFixed(1)} MB, packed ${(bytes.length / 1e6).toFixed(1)} MB, sha256 ${createHash("sha256").update(bytes).digest("hex").slice(0, 12)}`);
