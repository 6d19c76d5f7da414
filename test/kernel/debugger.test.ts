import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import type { JsonObject } from "../../lib/jupyter/index.js";
import { murmur2 } from "../../kernel/parent/debug/hash.js";
import { sparing } from "../../kernel/parent/debug/sparing.js";
import { within } from "../waits.js";
import { PATIENCE, type Ran, Session } from "./session.js";

const wait = { timeout: PATIENCE };

interface Variable {
  name: string;
  value: string;
  type: string;
  variablesReference: number;
}

interface StackFrame {
  id: number;
  name: string;
  line: number;
  column: number;
  source: { path: string };
}

/** A client's side of the debugger. */
class Front {
  #seq = 0;
  readonly #events: JsonObject[] = [];
  #wake = () => {};

  constructor(readonly session: Session) {
    session.client.onMessage((channel, { header, content }) => {
      if (channel !== "iopub" || header.msg_type !== "debug_event") return;
      this.#events.push(content);
      this.#wake();
    });
  }

  async ask(command: string, args: JsonObject = {}): Promise<JsonObject> {
    const seq = ++this.#seq;
    const { content } = await this.session.client.request("control", "debug_request", { type: "request", seq, command, arguments: args }, wait);
    assert.deepEqual([content.type, content.request_seq, content.command], ["response", seq, command]);
    return content;
  }

  async body<Body = JsonObject>(command: string, args: JsonObject = {}): Promise<Body> {
    const { success, message, body } = await this.ask(command, args);
    assert.equal(success, true, `${command}: ${String(message)}`);
    return body as Body;
  }

  async variables(variablesReference: number): Promise<Record<string, Variable>> {
    const { variables } = await this.body<{ variables: Variable[] }>("variables", { variablesReference });
    return Object.fromEntries(variables.map((each) => [each.name, each]));
  }

  /** The next event of this name; those before it are passed over. */
  async event(name: string): Promise<JsonObject> {
    for (;;) {
      for (let next = this.#events.shift(); next; next = this.#events.shift()) if (next.event === name) return next.body as JsonObject;
      await within(`the event ${name}`, new Promise<void>((resolve) => (this.#wake = resolve)));
    }
  }

  /** Where it stops next: `name:line` of each frame, innermost first. */
  async stopped(running: Promise<Ran>): Promise<{ at: string[]; reason: unknown; frames: StackFrame[]; text: unknown }> {
    const body = await Promise.race([this.event("stopped"), running.then(({ reply }) => assert.fail(`the cell ended (${JSON.stringify(reply)})`))]);
    const { stackFrames } = await this.body<{ stackFrames: StackFrame[] }>("stackTrace", { threadId: 1 });
    return { at: stackFrames.map(({ name, line }) => `${name}:${line}`), reason: body.reason, frames: stackFrames, text: body.text };
  }

  async breakAt(code: string, ...lines: number[]): Promise<string> {
    const { sourcePath } = await this.body<{ sourcePath: string }>("dumpCell", { code });
    await this.body("setBreakpoints", { source: { path: sourcePath }, breakpoints: lines.map((line) => ({ line })) });
    return sourcePath;
  }
}

describe("variables in a debugger's panel", () => {
  let session: Session;
  let front: Front;
  before(async () => {
    session = await Session.start();
    front = new Front(session);
  });
  after(() => session.end());

  it("says how sources are called, and that nothing is started", async () => {
    const info = await front.body("debugInfo");
    assert.deepEqual([info.isStarted, info.hashMethod, info.breakpoints, info.stoppedThreads, info.richRendering, info.tmpFileSuffix], [false, "Murmur2", [], [], true, ".ts"]);
    // What JupyterLab's own function gives.
    assert.deepEqual([murmur2("1+1", 0), murmur2("const ü = 'ä'; ü", 123456789), murmur2("", 7)], HASHES);
    const { sourcePath } = await front.body("dumpCell", { code: "1 + 1" });
    assert.equal(sourcePath, `${String(info.tmpFilePrefix)}${murmur2("1 + 1", Number(info.hashSeed))}.ts`);
    assert.equal((await front.body("source", { source: { path: sourcePath } })).content, "1 + 1");
  });

  it("lists them by their latest declaration, numbers with statistics, and looks into them", async () => {
    await session.run("const twice = 'old'; let n = 5; const list = [1, { deep: [2, 3] }]; class P { x = 1; get y(): number { throw new Error('not to be called') } }; const p = new P(); const map = new Map([['k', 1]])");
    await session.run("const twice = 2; const f32 = new Float32Array([1, 2, 6, NaN]); const { Tensor } = await import('onnxruntime-node'); const t = new Tensor('int64', new BigInt64Array([1n, 3n]), [1, 2]); const df = new dfd.DataFrame({ a: [1, 2, 3], b: ['x', 'y', 'z'] })");
    await session.run("throw new Error('before'); const twice = 3");
    const { variables } = await front.body<{ variables: Variable[] }>("inspectVariables");
    const found = Object.fromEntries(variables.map((each) => [each.name, each]));
    assert.deepEqual([found.twice?.value, found.n?.value, found.n?.type], ["2", "5", "number"]);
    assert.equal(found.f32?.value, "Float32Array(4) min 1 max 6 mean 3, 1 not finite");
    assert.equal(found.t?.value, "Tensor int64 [1, 2] min 1 max 3 mean 2");
    assert.equal(found.df?.value, "DataFrame: 3 rows × 2 columns");
    assert.equal(found.sdtp, undefined);
    const list = await front.variables(found.list!.variablesReference);
    assert.equal((await front.variables(list["1"]!.variablesReference)).deep?.value, "[ 2, 3 ]");
    assert.deepEqual(Object.keys(await front.variables(found.p!.variablesReference)), ["x"]);
    assert.equal((await front.variables(found.map!.variablesReference))["'k'"]?.value, "1");
    assert.equal((await front.variables(found.df!.variablesReference)).b?.value, "[ 'x', 'y', 'z' ]");
  });

  it("shows a variable as a cell would", async () => {
    const { data } = await front.body<{ data: Record<string, string> }>("richInspectVariables", { variableName: "df" });
    assert.match(data["text/html"]!, /<table/);
    const tensor = await front.body<{ data: Record<string, string> }>("richInspectVariables", { variableName: "t" });
    assert.match(tensor.data["text/plain"]!, /^Tensor int64 \[1, 2\] min 1 max 3 mean 2\n.*\[1, 3\]$/);
    assert.equal((await front.ask("richInspectVariables", { variableName: "nobody" })).message, 'variableName: "nobody" (no cell has declared it)');
  });

  it("answers while a cell computes without awaiting", async () => {
    let begun = () => {};
    const computes = new Promise<void>((resolve) => (begun = resolve));
    const ran = session.run("let ends = false; console.log('begun'); for (let i = 0; !ends; i++);", { onOutput: ({ header }) => void (header.msg_type === "stream" && begun()) });
    await computes;
    const { variables } = await front.body<{ variables: Variable[] }>("inspectVariables");
    assert.ok(variables.some(({ name, value }) => name === "ends" && value === "false"));
    await session.client.interrupt(wait);
    assert.equal((await ran).reply.ename, "KeyboardInterrupt");
  });

  it("tells JupyterLab values where it would show types", async () => {
    await front.body("initialize", { clientID: "jupyterlab" });
    const { variables } = await front.body<{ variables: Variable[] }>("inspectVariables");
    assert.ok(variables.every((each) => !("type" in each)));
    await front.body("disconnect");
    assert.equal((await front.body<{ variables: Variable[] }>("inspectVariables")).variables.find(({ name }) => name === "n")?.type, "number");
  });

  it("refuses what it cannot do by name, and the kernel goes on", async () => {
    const messages = await Promise.all(
      [["nonsense"], ["dumpCell"], ["variables", { variablesReference: 1e9 }], ["variables", { variablesReference: "1" }], ["source", { source: { path: "/etc/passwd" } }], ["setBreakpoints", {}], ["continue"], ["evaluate", { expression: "1" }]].map(
        async ([command, args]) => String((await front.ask(command as string, args as JsonObject)).message),
      ),
    );
    const expected = [/^command: nonsense \(not supported/, /^code: undefined \(must be a string\)/, /^variablesReference: 1000000000 /, /^variablesReference: "1" \(must be an integer\)/, /^source: \/etc\/passwd \(no cell has this path, and no module/, /initialize/, /initialize/, /initialize/];
    messages.forEach((message, i) => assert.match(message, expected[i]!));
    const { content } = await session.client.request("control", "debug_request", { command: 5, arguments: [] }, wait);
    assert.deepEqual([content.success, content.message], [false, 'command: 5 (must be a string, such as "debugInfo")']);
    // Front ends read the list of a reply that failed.
    assert.deepEqual([(await front.ask("scopes", { frameId: 1 })).body, (await front.ask("variables", { variablesReference: 1e9 })).body], [{ scopes: [] }, { variables: [] }]);
    assert.equal(await session.value("n"), "5");
  });
});

/** murmur2 of JupyterLab 4.6 (packages/debugger/src/hash.ts) of the three texts and seeds above. */
const HASHES = [2728614991, 2074098589, 2193385065];

describe("breakpoints", () => {
  let session: Session;
  let front: Front;
  before(async () => {
    session = await Session.start();
    front = new Front(session);
    await session.run("const base: number = 10;\nfunction twice(x: number) {\n  const y = x * 2;\n  return y;\n}");
    const { exceptionBreakpointFilters } = await front.body<{ exceptionBreakpointFilters: { filter: string }[] }>("initialize", { adapterID: "sdtp" });
    assert.deepEqual(exceptionBreakpointFilters.map(({ filter }) => filter), ["uncaught", "all"]);
    await front.body("attach");
    await front.body("configurationDone");
  });
  // A test that failed leaves nothing standing.
  afterEach(() => session.client.interrupt(wait));
  after(() => session.end());

  const CELL = "interface A { x: number }\n\nconst a: A = { x: 1 };\nlet total = 0;\nfor (const i of [1, 2]) {\n  total += twice(i);\n}\nawait null;\ntotal + a.x";

  it("stop in the cell's own lines, with variables of the frame, of the notebook, and expressions of both", async () => {
    const path = await front.breakAt(CELL, 2, 6);
    const running = session.run(CELL);
    const first = await front.stopped(running);
    // Line 2 is empty: the first statement below it.
    assert.deepEqual([first.at, first.reason, first.frames[0]?.source.path], [["Cell [2]:3"], "breakpoint", path]);
    assert.deepEqual((await front.body("debugInfo")).stoppedThreads, [1]);
    await front.body("continue", { threadId: 1 });
    const second = await front.stopped(running);
    assert.deepEqual(second.at, ["Cell [2]:6"]);
    const frameId = second.frames[0]!.id;
    const { scopes } = await front.body<{ scopes: { name: string; variablesReference: number }[] }>("scopes", { frameId });
    assert.deepEqual(scopes.map(({ name }) => name), ["Locals", "Closure", "Globals"]);
    const [locals, , globals] = await Promise.all(scopes.map(({ variablesReference }) => front.variables(variablesReference)));
    assert.deepEqual([locals!.i?.value, locals!.total?.value, locals!.a?.value, globals!.base?.value], ["1", "0", "{ x: 1 }", "10"]);
    assert.ok(Object.keys({ ...locals, ...globals }).every((name) => !name.startsWith("__")));
    assert.deepEqual((await front.body("evaluate", { expression: "total + base + i", frameId })).result, "11");
    assert.match(String((await front.ask("evaluate", { expression: "nope", frameId })).message), /nope is not defined/);
    assert.deepEqual(await front.body("richInspectVariables", { variableName: "a", frameId }), { data: { "text/plain": "{ x: 1 }" }, metadata: {} });
    // The language and what others ask is answered meanwhile.
    assert.equal((await session.client.isComplete("{", wait)).status, "incomplete");
    await front.body("setBreakpoints", { source: { path }, breakpoints: [] });
    await front.body("continue", { threadId: 1 });
    assert.equal((await running).text, "7");
    assert.deepEqual((await front.body("debugInfo")).breakpoints, []);
  });

  it("evaluate what names variables of other cells and assigns them, objects, and what is preloaded; a console is told what was thrown", async () => {
    await session.run("let elsewhere = 1;\nconst URL = 'mine';");
    const code = "const own = 1;\nown;";
    await front.breakAt(code, 2);
    const running = session.run(code);
    const frameId = (await front.stopped(running)).frames[0]!.id;
    const results = async (...expressions: string[]) => Promise.all(expressions.map(async (expression) => (await front.body("evaluate", { expression, frameId, context: "repl" })).result));
    assert.deepEqual(await results("elsewhere += own", "let sum = elsewhere + own; sum * 10", "{ own, elsewhere }", "URL", "typeof sdtp.load"), ["2", "30", "{ own: 1, elsewhere: 2 }", "'mine'", "'function'"]);
    assert.deepEqual(await results("nope + elsewhere", "null.x"), ["Uncaught ReferenceError: nope is not defined", "Uncaught TypeError: Cannot read properties of null (reading 'x')"]);
    await front.breakAt(code);
    await front.body("continue", { threadId: 1 });
    await running;
    assert.equal(await session.value("elsewhere"), "2");
    // Nothing of it stays global.
    assert.equal(await session.value("[typeof (globalThis as any).elsewhere, typeof (globalThis as any).URL].join()"), "'undefined,function'");
  });

  it("step over, into, out of and past await", async () => {
    await front.breakAt(CELL, 6);
    const running = session.run(CELL);
    await front.stopped(running);
    const stops: string[] = [];
    const step = async (command: string) => {
      await front.body(command, { threadId: 1 });
      const { at, reason } = await front.stopped(running);
      if (command === "stepIn") assert.equal(reason, "step");
      stops.push(at.join(" < ").replace(/Cell \[\d+\]/g, "Cell"));
    };
    for (const command of ["stepIn", "next", "stepOut", "next"]) await step(command);
    assert.deepEqual(stops, ["twice:3 < Cell:6", "twice:4 < Cell:6", "Cell:5", "Cell:6"]);
    while (stops.at(-1) !== "Cell:9") await step("next");
    // The V8 of Node 26 does not come back to the head of a loop that is over.
    assert.deepEqual(stops.slice(4).filter((at) => at !== "Cell:5"), ["Cell:8", "Cell:9"]);
    await front.breakAt(CELL);
    await front.body("next", { threadId: 1 });
    assert.equal((await running).text, "7");
  });

  it("are set in functions of cells that ran before", async () => {
    const source = "const base: number = 10;\nfunction twice(x: number) {\n  const y = x * 2;\n  return y;\n}";
    await front.breakAt(source, 4);
    const running = session.run("twice(4)");
    const { at } = await front.stopped(running);
    assert.match(at.join(" < "), /^twice:4 < Cell \[\d+\]:1$/);
    await front.breakAt(source);
    await front.body("continue", { threadId: 1 });
    assert.equal((await running).text, "8");
  });

  it("are as the last request wants them, where several come without waiting", async () => {
    const source = "const base: number = 10;\nfunction twice(x: number) {\n  const y = x * 2;\n  return y;\n}";
    const { sourcePath: path } = await front.body<{ sourcePath: string }>("dumpCell", { code: source });
    const set = (...lines: number[]) => front.body("setBreakpoints", { source: { path }, breakpoints: lines.map((line) => ({ line })) });
    await Promise.all([set(3), set(4), set(), set(4), set(3)]);
    const running = session.run("twice(5)");
    assert.match((await front.stopped(running)).at[0]!, /^twice:3$/);
    await Promise.all([set(4), set(3, 4), set()]);
    assert.deepEqual((await front.body("debugInfo")).breakpoints, []);
    await front.body("continue", { threadId: 1 });
    assert.equal((await running).text, "10");
  });

  it("sources are the modules that run, the notebook's own by their place, packages by their names", async () => {
    writeFileSync(join(session.folder, "own.ts"), "export const own: number = 5;\n");
    await session.run("import { own } from './own.ts'; const zip = await import('fflate'); own");
    const { modules, totalModules } = await front.body<{ modules: { name: string; path: string }[]; totalModules: number }>("modules");
    assert.equal(modules.length, totalModules);
    assert.deepEqual(modules.filter(({ name }) => name === "own.ts").map(({ path }) => path), [join(session.folder, "own.ts")]);
    const zip = modules.find(({ name }) => name.startsWith("fflate/"));
    assert.match(String((await front.body("source", { source: { path: zip?.path } })).content), /zipSync/);
    assert.deepEqual(await front.body("source", { source: { path: join(session.folder, "own.ts") } }), { content: "export const own: number = 5;\n", mimeType: "text/typescript" });
    assert.deepEqual((await front.body<{ modules: unknown[] }>("modules", { startModule: 1, moduleCount: 1 })).modules, modules.slice(1, 2));
    assert.equal((await front.ask("modules", { startModule: -1 })).message, "startModule: -1 (must not be negative)");
    assert.match(String((await front.ask("source", { source: { path: join(session.folder, "other.ts") } })).message), /no module that runs/);
  });

  it("are left by an interrupt, which keeps variables and stops nowhere else", async () => {
    const code = "let reached = 1;\nreached = 2;\nreached = 3;\nawait null;\nreached = 4;";
    await front.breakAt(code, 2, 3, 5);
    const running = session.run(code);
    await front.stopped(running);
    await session.client.interrupt(wait);
    assert.equal((await running).reply.ename, "KeyboardInterrupt");
    assert.deepEqual((await front.body("debugInfo")).stoppedThreads, []);
    await front.breakAt(code);
    assert.equal(await session.value("reached"), "1");
  });

  it("are left by an interrupt where nothing more is awaited either, before the next statement", async () => {
    for (const [code, line] of [["let after = 1;\nawait null;\nafter = 2;\nafter = 3;\nafter", 4], ["let after = 1;\nafter = 2;\nafter = 3;\nafter", 3], ["let after = 1;\nawait null;\nconst f = () => {\n  after = 2;\n  after = 3;\n};\n[1].forEach(f);\nafter", 5]] as const) {
      await front.breakAt(code, line);
      const running = session.run(code);
      await front.stopped(running);
      await session.client.interrupt(wait);
      assert.equal((await running).reply.ename, "KeyboardInterrupt", code);
      await front.breakAt(code);
      assert.equal(await session.value("after"), "2");
    }
  });

  it("stop where something is thrown that nobody catches, or anything", async () => {
    await front.body("setExceptionBreakpoints", { filters: ["uncaught"] });
    assert.equal((await session.run("try { throw new Error('inner') } catch {} 'fine'")).text, "'fine'");
    const outer = session.run("const f = () => {\n  throw new Error('outer');\n};\nf();");
    const stop = await front.stopped(outer);
    assert.match(stop.at.join(" < "), /^f:2 < Cell \[\d+\]:4$/);
    assert.deepEqual([stop.reason, stop.text], ["exception", "Error: outer"]);
    await front.body("continue", { threadId: 1 });
    assert.equal((await outer).reply.evalue, "outer");
    const late = session.run("await null;\nthrow new Error('late');");
    assert.match((await front.stopped(late)).at[0]!, /:2$/);
    await front.body("continue", { threadId: 1 });
    await late;
    await front.body("setExceptionBreakpoints", { filters: ["all"] });
    const caught = session.run("try { throw new Error('inner') } catch {} 'fine'");
    assert.equal((await front.stopped(caught)).text, "Error: inner");
    await front.body("continue", { threadId: 1 });
    assert.equal((await caught).text, "'fine'");
    assert.match(String((await front.ask("setExceptionBreakpoints", { filters: ["some"] })).message), /"some" \(must be uncaught or all\)/);
    await front.body("setExceptionBreakpoints", { filters: [] });
  });

  it("outlive the process that runs cells, and end with the session", async () => {
    const code = "const here = 1;\nhere + 1";
    await front.breakAt(code, 2);
    await session.run("process.exit(1)");
    const running = session.run(code);
    assert.match((await front.stopped(running)).at[0]!, /:2$/);
    assert.equal((await front.body<{ breakpoints: unknown[] }>("debugInfo")).breakpoints.length, 1);
    await front.body("disconnect", { terminateDebuggee: false });
    await front.event("terminated");
    assert.equal((await running).text, "2");
    assert.equal((await session.run("debugger; 5")).text, "5");
    const info = await front.body("debugInfo");
    assert.deepEqual([info.isStarted, info.breakpoints, info.stoppedThreads], [false, [], []]);
  });
});

it("what costs is done no more often than can be afforded, and shared by those who ask meanwhile", async () => {
  let times = 0;
  let isFree = false;
  const cost = 20;
  const list = sparing(async () => {
    await new Promise((resolve) => setTimeout(resolve, cost));
    return ++times;
  }, () => !isFree);
  const started = performance.now();
  assert.deepEqual(await Promise.all([list(), list(), list()]), [1, 2, 2]);
  assert.equal(await list(), 3);
  // The two rests between three times: four times as long as each took, at least.
  assert.ok(performance.now() - started >= 3 * cost + 8 * cost - 5);
  isFree = true;
  assert.deepEqual([await list(), await list()], [4, 5]);
  const failing = sparing(() => Promise.reject(new Error("ended")), () => false);
  await assert.rejects(failing(), /ended/);
  await assert.rejects(failing(), /ended/);
});
