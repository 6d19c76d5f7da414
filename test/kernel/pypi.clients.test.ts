/** Notebooks in the tools that people have: papermill, nbclient, nbval, nbmake, jupytext, jupyter execute, voila, all from PyPI. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { installKernel } from "../../kernel/install.js";
import { installForPapermill } from "../../kernel/papermill.js";
import { formatText } from "../../lib/notebook/text/index.js";
import { joined, type CodeCell } from "../../lib/notebook/types.js";
import { cellWith, code, markdown, notebook, read, shown, write } from "../lib/notebook/cells.js";
import { pypiClients } from "./pypi.js";

const clients = pypiClients();
const bin = "bin" in clients ? clients.bin : "";

describe("clients from PyPI", { skip: "missing" in clients ? clients.missing : false, timeout: 900_000 }, () => {
  let home: string;
  let env: NodeJS.ProcessEnv;
  before(() => {
    home = mkdtempSync(join(tmpdir(), "sdtp-pypi-test-"));
    installKernel({ where: { prefix: home } });
    env = { ...process.env, HOME: home, JUPYTER_PATH: join(home, "share", "jupyter"), JUPYTER_RUNTIME_DIR: join(home, "runtime"), PATH: `${bin}:${process.env["PATH"]}` };
  });
  after(() => rmSync(home, { recursive: true, force: true }));
  const path = (name: string) => join(home, name);
  const run = (command: string, ...args: string[]) => {
    const done = spawnSync(join(bin, command), args, { env, cwd: home, encoding: "utf8", timeout: 300_000 });
    assert.equal(done.status, 0, `${command} ${args.join(" ")}\n${done.stdout}\n${done.stderr}`);
    return done.stdout;
  };

  it("papermill: parameters of every type, paths, help", () => {
    const { version } = installForPapermill(join(bin, "python"));
    assert.match(version, /^2\./);
    write(path("in.ipynb"), [
      code('let n: number = 1; // how many\n// the mode\nconst mode: "fast" | "slow" = "fast";\nlet text = "";\nlet list: number[] = [1,\n  2];\nlet options: { a?: number; b?: string[] } = {};\nlet none: string | null = "x", big = 0n, flag = false, ratio = 0.5;', "parameters"),
      code("[n * 2, mode, text, list, options, none, big, flag, ratio, mode === \"fast\"]"),
      
    ]);
    writeFileSync(path("values.yaml"), 'list: [4, 5]\noptions: {a: 1, b: ["x y"], __proto__: 3}\nnone: null\nbig: 9007199254740993\ntext: "it\'s \\"quoted\\"\\u2028 \\\\ 漢 😀"\nratio: 0.25\nflag: true\n');
    run("papermill", "in.ipynb", "out.ipynb", "-p", "n", "3", "-p", "mode", "slow", "-f", "values.yaml");
    const out = read(path("out.ipynb"));
    const injected = out.cells.find(({ metadata }) => metadata.tags?.includes("injected-parameters")) as CodeCell;
    assert.match(joined(injected.source), /^\/\/ Parameters\nvar /);
    const [plain = ""] = shown(cellWith(out, "n * 2"));
    for (const part of ["6,", "'slow'", "[ 4, 5 ]", "b: [ 'x y' ]", "['__proto__']: 3", "null", "9007199254740993n", "true", "0.25", "false", "\u2028 \\\\ 漢 😀"]) assert.ok(plain.includes(part), `${part} in ${plain}`);

    // papermill writes NaN into the notebook's metadata as well, which is no JSON; it is read all the same.
    run("papermill", "in.ipynb", "nan.ipynb", "-y", "{ratio: .nan, big: -.inf}");
    assert.match(readFileSync(path("nan.ipynb"), "utf8"), /var ratio: any = NaN;\\n[^]*var big: any = -Infinity;/);
    assert.deepEqual((read(path("nan.ipynb")).metadata as { papermill?: { parameters?: object } }).papermill?.parameters, { ratio: "NaN", big: "-Infinity" });

    const help = run("papermill", "in.ipynb", "--help-notebook");
    for (const line of [/n: number \(default 1\)\s+how many/, /mode: "fast" \| "slow" \(default "fast"\)\s+the mode/, /text: string \(default ""\)/, /list: number\[\] \(default \[1,\s+2\]\)/, /options: \{ a\?: number; b\?: string\[\] \} \(default \{\}\)/, /flag: boolean \(default false\)/]) assert.match(help, line);

    write(path("paths.ipynb"), [code('let PAPERMILL_INPUT_PATH = "", PAPERMILL_OUTPUT_PATH = "";', "parameters"), code("[PAPERMILL_INPUT_PATH, PAPERMILL_OUTPUT_PATH]")]);
    run("papermill", "paths.ipynb", "paths-out.ipynb", "--inject-paths");
    assert.deepEqual(shown(cellWith(read(path("paths-out.ipynb")), "[PAPERMILL")), ["[ 'paths.ipynb', 'paths-out.ipynb' ]"]);
  });

  it("papermill stops at a cell that fails, with its error", () => {
    write(path("bad.ipynb"), [code("1"), code('throw new TypeError("stop")'), code("3")]);
    const done = spawnSync(join(bin, "papermill"), ["bad.ipynb", "bad-out.ipynb"], { env, cwd: home, encoding: "utf8", timeout: 300_000 });
    assert.notEqual(done.status, 0);
    assert.match(done.stderr, /TypeError: stop/);
  });

  it("nbval and nbmake: outputs are the same each time, charts too", () => {
    write(path("checked.ipynb"), [code("const a = [1, 2];\na"), code('display.plotly([{ y: [1, 2] }], { title: { text: "the first one brings Plotly" } })'), code('display.plotly([{ y: [1, 2] }], { title: { text: "chart" } })'), code("new dfd.DataFrame({ a })"), code("console.log('text'); display.html('<b>x</b>')")]);
    run("jupyter", "execute", "--inplace", "checked.ipynb");
    assert.deepEqual(shown(read(path("checked.ipynb")).cells[0] as CodeCell), ["[ 1, 2 ]"]);
    assert.match(run("pytest", "-q", "--nbval", "checked.ipynb"), /5 passed/);
    assert.match(run("pytest", "-q", "--nbmake", "checked.ipynb"), /1 passed/);
  });

  it("jupytext converts, runs and pairs; its text and ours are the same", () => {
    const book = notebook([markdown("# Title"), code("const a = 1;\n\na + 1", "tag"), code("// a comment\nawait Promise.resolve(a)")]);
    writeFileSync(path("lab.ts"), formatText(book, "lab.ts"));
    run("jupytext", "--to", "ipynb", "--execute", "lab.ts");
    assert.deepEqual(shown(cellWith(read(path("lab.ipynb")), "a + 1")), ["2"]);
    run("jupytext", "--set-formats", "ipynb,ts:percent", "lab.ipynb");
    run("jupytext", "--sync", "lab.ipynb");
    const bare = (text: string) => text.split("\n").filter((line) => !/jupytext_version|formats:/.test(line)).join("\n");
    assert.equal(bare(readFileSync(path("lab.ts"), "utf8")), bare(formatText(read(path("lab.ipynb")), "lab.ts")));
  });

  it("voila shows a notebook's outputs as a page", async () => {
    write(path("page.ipynb"), [markdown("# Page"), code("display.html('<p id=\"shown\">six: ' + 2 * 3 + '</p>')")]);
    const port = await freePort();
    const server = spawn(join(bin, "voila"), ["page.ipynb", "--no-browser", `--port=${port}`], { env, cwd: home, stdio: "ignore" });
    try {
      const page = await until(async () => {
        const response = await fetch(`http://localhost:${port}/`, { signal: AbortSignal.timeout(60_000) });
        const text = await response.text();
        return text.includes("six: 6") ? text : undefined;
      });
      assert.ok(page.length > 1000);
    } finally {
      server.kill();
    }
  });
});

async function until<T>(attempt: () => Promise<T | undefined>): Promise<T> {
  for (const end = Date.now() + 120_000; ; ) {
    const value = await attempt().catch(() => undefined);
    if (value !== undefined) return value;
    if (Date.now() > end) throw new Error("no page within two minutes");
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().listen(0, () => {
      const address = server.address();
      server.close(() => (typeof address === "object" && address ? resolve(address.port) : reject(new Error("no port"))));
    });
  });
}
