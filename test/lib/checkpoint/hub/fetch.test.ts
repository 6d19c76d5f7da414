import assert from "node:assert/strict";
import { existsSync, lstatSync, readFileSync, readdirSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fetchRepository, hubModel, type FetchProgress } from "../../../../lib/checkpoint/hub/fetch.js";
import { localConfigPath, localPath } from "../../../../lib/checkpoint/hub/local-path.js";
import { parseHubName } from "../../../../lib/checkpoint/hub/name.js";
import { hubSettings, type HubSettings } from "../../../../lib/checkpoint/hub/settings.js";
import { openCheckpoint } from "../../../../lib/checkpoint/open.js";
import { tinyCheckpoint } from "../../../reference/checkpoints.js";
import { sdtp } from "../../cli/sdtp.js";
import { temporaryFolder } from "../fixtures.js";
import { commit, hub, type Repository } from "./server.js";

const name = parseHubName("org/tiny")!;

function repository(t: TestContext, more: Record<string, Buffer | string> = {}, shards?: number): Repository {
  const tiny = tinyCheckpoint("llama", shards === undefined ? {} : { shards });
  t.after(() => tiny.remove());
  const files = Object.fromEntries(readdirSync(tiny.folder).map((file) => [file, readFileSync(join(tiny.folder, file))]));
  return { files: { ...files, "README.md": "a card", "onnx/model.onnx": "not wanted", "pytorch_model.bin": "not wanted either", ...more }, large: Object.keys(files).filter((file) => file.endsWith(".safetensors")) };
}

async function setUp(t: TestContext, repositories: Record<string, Repository>, changes: Partial<HubSettings> = {}) {
  const server = await hub(t, repositories);
  const cache = join(await temporaryFolder(t), "hub");
  return { server, cache, settings: { endpoint: server.url, cache, token: undefined, offline: false, ...changes }, pause: 1 };
}

test("what a model takes comes into the hub's own layout, each file once, with progress", async (t) => {
  const { server, cache, ...options } = await setUp(t, { "models/org/tiny": repository(t) });
  const seen: FetchProgress[] = [];
  const { folder, files } = await fetchRepository(name, { ...options, onFetch: (progress) => seen.push(progress) });
  assert.equal(folder, join(cache, "models--org--tiny", "snapshots", commit));
  assert.deepEqual(files.map(({ path }) => path).sort(), ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]);
  assert.ok(files.every(({ fetched }) => fetched));
  assert.equal(await readFile(join(cache, "models--org--tiny", "refs", "main"), "utf8"), commit);
  assert.ok(lstatSync(join(folder, "model.safetensors")).isSymbolicLink());
  assert.equal(seen.at(-1)!.done, seen.at(-1)!.total);
  assert.ok(seen.every(({ done }, i) => i === 0 || done >= seen[i - 1]!.done));
  const before = server.requests.length;
  const again = await fetchRepository(name, options);
  assert.ok(again.files.every(({ fetched }) => !fetched));
  assert.deepEqual(server.requests.slice(before), ["GET /api/models/org/tiny/revision/main", `GET /api/models/org/tiny/tree/${commit}`]);
});

test("a model is opened by its name, and offline from then on", async (t) => {
  const { server, settings, pause } = await setUp(t, { "models/org/tiny": repository(t, {}, 2) });
  const folder = await hubModel(name, { settings, pause });
  assert.deepEqual(readdirSync(folder).filter((file) => file.includes("safetensors")).sort(), ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"]);
  const checkpoint = await openCheckpoint(folder, {});
  assert.ok((await checkpoint.tokenizer()).encode("the").length > 0);
  const asked = server.requests.length;
  assert.equal(await hubModel(name, { settings, pause }), folder);
  assert.equal(await hubModel(name, { settings: { ...settings, offline: true } }), folder);
  assert.equal(server.requests.length, asked, "what is in the cache needs no hub");
  await assert.rejects(hubModel(parseHubName("org/other")!, { settings: { ...settings, offline: true } }), /model: org\/other is not in the hub's cache, .*, and HF_HUB_OFFLINE is set \(unset it, or give a folder\)/);
  await assert.rejects(fetchRepository(name, { settings: { ...settings, offline: true } }), /cannot be fetched while HF_HUB_OFFLINE is set/);
});

test("a connection that breaks is taken up where it broke", async (t) => {
  const large = Buffer.alloc(300_000, "weights ");
  const { server, cache, ...options } = await setUp(t, { "models/org/tiny": { files: { "config.json": "{}", "model.safetensors": large }, large: ["model.safetensors"] } });
  let breaks = 3;
  server.misbehave = (_, response, bytes, start) => {
    if (bytes.length !== large.length || breaks-- <= 0) return false;
    response.writeHead(start > 0 ? 206 : 200, { "content-length": bytes.length - start });
    response.write(bytes.subarray(start, start + 70_000));
    setTimeout(() => response.destroy(), 20);
    return true;
  };
  const { folder } = await fetchRepository(name, options);
  assert.deepEqual(await readFile(join(folder, "model.safetensors")), large);
  const ranges = server.requests.filter((request) => request.includes("model.safetensors") && /bytes=[1-9]/.test(request));
  assert.equal(ranges.length, 3);
});

test("a broken download that was given up is gone on with by the next one", async (t) => {
  const large = Buffer.alloc(200_000, "0123456789");
  const { server, cache, ...options } = await setUp(t, { "models/org/tiny": { files: { "config.json": "{}", "model.safetensors": large }, large: ["model.safetensors"] } });
  server.misbehave = (_, response, bytes, start) => {
    if (bytes.length !== large.length) return false;
    response.writeHead(200, { "content-length": bytes.length - start });
    if (start === 0) response.write(bytes.subarray(0, 50_000));
    setTimeout(() => response.destroy(), 10);
    return true;
  };
  await assert.rejects(fetchRepository(name, options), /hub: model\.safetensors: .* \(50000 of 200000 bytes are kept; try again to go on from there\)/);
  assert.equal(existsSync(join(cache, "models--org--tiny", "refs", "main")), false);
  server.misbehave = null;
  const asked = server.requests.length;
  const { folder } = await fetchRepository(name, options);
  assert.deepEqual(await readFile(join(folder, "model.safetensors")), large);
  assert.ok(server.requests.slice(asked).some((request) => request.includes("bytes=50000-")));
});

test("bytes that are not those of the hub's list are thrown away", async (t) => {
  const { server, cache, ...options } = await setUp(t, { "models/org/tiny": repository(t) });
  server.misbehave = (request, response, bytes) => {
    if (!request.url!.includes("tokenizer.json")) return false;
    response.writeHead(200, { "content-length": bytes.length });
    response.end(Buffer.alloc(bytes.length, "x"));
    return true;
  };
  await assert.rejects(fetchRepository(name, options), /hub: tokenizer\.json: its git hash is [0-9a-f]{40} \(must be [0-9a-f]{40}, as the hub lists it: damaged on the way, try again\)/);
  assert.deepEqual(readdirSync(join(cache, "models--org--tiny", "blobs")).filter((file) => file.endsWith(".incomplete")), []);
  server.misbehave = null;
  await fetchRepository(name, options);
});

test("what was left of something else does not end up in the file", async (t) => {
  const given = repository(t);
  const { cache, ...options } = await setUp(t, { "models/org/tiny": given });
  const { folder } = await fetchRepository(name, options);
  const blobs = join(cache, "models--org--tiny", "blobs");
  const [blob] = readdirSync(blobs).filter((file) => file.length === 64);
  await rm(join(blobs, blob!));
  await writeFile(join(blobs, `${blob}.incomplete`), "not the beginning of it");
  await fetchRepository(name, options);
  assert.deepEqual(await readFile(join(folder, "model.safetensors")), given.files["model.safetensors"]);
});

test("the hub's reason is passed on, with what to do", async (t) => {
  const gated = "Access to model org/gated is restricted. You must have access to it and be authenticated to access it.";
  const repositories = { "models/org/gated": { files: { "config.json": "{}" }, gated }, "models/org/tiny": repository(t), "models/org/card": { files: { "README.md": "x" } } };
  const { settings, pause } = await setUp(t, repositories);
  const refused = (id: string, message: RegExp, changes: Partial<HubSettings> = {}) => assert.rejects(fetchRepository(parseHubName(id)!, { settings: { ...settings, ...changes }, pause }), message);
  await refused("org/gated", /^Error: hub: org\/gated is gated: Access to model org\/gated is restricted\. .* \(ask for access at http:.*\/org\/gated; set HF_TOKEN to a token of an account that has it\)$/);
  await refused("org/gated", /HF_TOKEN is of an account that has it not/, { token: "hf_other" });
  await refused("org/tiny", /^Error: HF_TOKEN: what is set is no token of the hub \(must begin with hf_/, { token: "secret" });
  await refused("org/none", /^Error: hub: no model org\/none, or a private one: Repository not found \(check the name at http:.*; for a private one set HF_TOKEN/);
  await refused("org/tiny@v9", /hub: org\/tiny has no revision v9: Invalid rev id: v9/);
  await refused("org/card", /hub: org\/card is no model that can be loaded: no config\.json and no GGUF file \(has README\.md\)/);
  await refused("org/gated", /no weights that can be read: model\.safetensors, pytorch_model\.bin, .* or a GGUF file \(has config\.json\)/, { token: "hf_member" });
  await refused("org/tiny", /hub: http:\/\/127\.0\.0\.1:1 cannot be reached: .* \(check the network and HF_ENDPOINT; what the cache holds can be used with HF_HUB_OFFLINE=1\)/, { endpoint: "http://127.0.0.1:1" });
});

test("what answers in the hub's place is not called unreachable: a proxy's page, half an answer, other JSON, a file without its size", async (t) => {
  const { server, settings, pause } = await setUp(t, { "models/org/tiny": repository(t) });
  const answers: Record<string, [string, RegExp]> = {
    revision: ["<html>log in</html>", /does not answer as the hub does: Unexpected token '<'/], tree: ['{"a": 1}', /does not answer as the hub does: .*iterable/],
  };
  for (const [route, [body, says]] of Object.entries(answers)) {
    server.instead = (request) => (request.url!.includes(`/${route}/`) ? { status: 200, body } : null);
    await assert.rejects(fetchRepository(name, { settings, pause }), (error: Error) => says.test(error.message) && /\(check HF_ENDPOINT, and whether a proxy or a login page stands between; /.test(error.message) && !error.message.includes("\n"));
  }
  server.instead = (request) => (request.url!.includes("/resolve/") ? { status: 200, body: "bytes" } : null);
  await assert.rejects(fetchRepository(name, { settings, pause }), /does not answer as the hub does: Expected size information/);
  for (const [status, advice] of [[400, /answers 400: .* \(check HF_ENDPOINT: what answers there may be no hub\)/], [429, /answers 429: .* \(try again later\)/], [503, /answers 503: .* \(try again later\)/]] as const) {
    server.instead = () => ({ status, body: '{"error": "no"}' });
    await assert.rejects(fetchRepository(name, { settings, pause }), advice);
  }
  server.instead = null;
  await fetchRepository(name, { settings, pause });
});

test("a repository cannot write outside of its folder", async (t) => {
  const { settings, pause } = await setUp(t, { "models/org/tiny": { files: { "config.json": "{}", "../../evil": "x" } } });
  await assert.rejects(fetchRepository(name, { settings, pause }), /hub: org\/tiny: the path "\.\.\/\.\.\/evil" \(must lie in the repository\)/);
  const index = { files: { "config.json": "{}", "model.safetensors.index.json": JSON.stringify({ weight_map: { a: "../x" } }) } };
  const other = await setUp(t, { "models/org/tiny": index });
  await assert.rejects(fetchRepository(name, { settings: other.settings, pause }), /model\.safetensors\.index\.json: weight_map names "\.\.\/x" \(the repository has no such file\)/);
});

test("a GGUF file by its name, with its other parts; of several one must be named", async (t) => {
  const files = { "a-Q4_0.gguf": "aaaa", "b/m-00001-of-00002.gguf": "one", "b/m-00002-of-00002.gguf": "two", "README.md": "x" };
  const { cache, ...options } = await setUp(t, { "models/org/tiny": { files, large: Object.keys(files) }, "models/org/one": { files: { "config.json": "{}", "deep/only.gguf": "1", "mmproj-f16.gguf": "2" } } });
  const one = await hubModel(parseHubName("org/tiny:a-Q4_0.gguf")!, options);
  assert.equal(one, join(cache, "models--org--tiny", "snapshots", commit, "a-Q4_0.gguf"));
  assert.equal(await readFile(one, "utf8"), "aaaa");
  const parts = await hubModel(parseHubName("org/tiny:b/m-00001-of-00002.gguf")!, options);
  assert.equal(await readFile(join(parts, "..", "m-00002-of-00002.gguf"), "utf8"), "two");
  await assert.rejects(fetchRepository(name, options), /hub: org\/tiny has 2 GGUF files \(name one: org\/tiny:a-Q4_0\.gguf, org\/tiny:b\/m-00001-of-00002\.gguf\)/);
  await assert.rejects(hubModel(parseHubName("org/tiny:none.gguf")!, options), /hub: org\/tiny has no file none\.gguf \(has a-Q4_0\.gguf, /);
  const only = await hubModel(parseHubName("org/one")!, options);
  assert.deepEqual([only.endsWith(join("deep", "only.gguf")), await readFile(only, "utf8")], [true, "1"]);
  assert.equal(await hubModel(parseHubName("org/one")!, { settings: { ...options.settings, offline: true } }), only);
});

test("a folder of that name here goes first, and other names ask nobody", async (t) => {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, "org", "tiny"), { recursive: true });
  const here = join(folder, "org", "tiny");
  assert.equal(await localPath(here), here);
  for (const path of ["tiny", "synthetic:tinyllama-1.1b", "./org/tiny", "/nowhere/at/all", "a/b/c", "model.gguf", "..\\x/y", "org/..", "C:\\models\\x"]) assert.equal(await localPath(path), path);
  assert.equal(parseHubName("org/tiny@v1:x/y.gguf")!.file, "x/y.gguf");
  assert.throws(() => parseHubName("org/tiny:../x"), /must lie in the repository/);
});

test("for a model's shape only its configuration is fetched", async (t) => {
  const { server, settings, pause } = await setUp(t, { "models/org/tiny": repository(t) });
  const folder = await localConfigPath("org/tiny", { settings, pause });
  assert.deepEqual(readdirSync(folder), ["config.json"]);
  assert.ok(!server.requests.some((request) => /safetensors|tokenizer/.test(request)));
  const asked = server.requests.length;
  assert.equal(await localConfigPath("org/tiny", { settings, pause }), folder);
  assert.equal(server.requests.length, asked);
  assert.equal(await hubModel(name, { settings, pause }), folder);
  assert.ok(existsSync(join(folder, "model.safetensors")));
});

test("settings come from the hub's environment variables", () => {
  const { cache, endpoint, offline, token } = hubSettings({ HF_HOME: "/h", HF_ENDPOINT: "http://mirror/", HF_HUB_OFFLINE: "1", HF_TOKEN: "hf_x" });
  assert.deepEqual([cache, endpoint, offline, token], [join("/h", "hub"), "http://mirror", true, "hf_x"]);
  assert.equal(hubSettings({ HF_HUB_CACHE: "/c", HF_HOME: "/h" }).cache, "/c");
  assert.equal(hubSettings({ XDG_CACHE_HOME: "/x" }).cache, join("/x", "huggingface", "hub"));
});

test("sdtp fetch, and generate with the name alone", async (t) => {
  const { server, cache } = await setUp(t, { "models/org/tiny": repository(t) });
  const before = { ...process.env };
  t.after(() => Object.assign(process.env, { HF_ENDPOINT: "", HF_HUB_CACHE: "", HF_HUB_OFFLINE: "", HF_TOKEN: "" }, before));
  Object.assign(process.env, { HF_ENDPOINT: server.url, HF_HUB_CACHE: cache, HF_HUB_OFFLINE: "", HF_TOKEN: "" });
  const folder = await temporaryFolder(t);
  const fetched = await sdtp(folder, "fetch", "org/tiny", "--json");
  assert.equal(fetched.code, 0, fetched.stderr);
  assert.equal((JSON.parse(fetched.stdout) as { commit: string }).commit, commit);
  const only = await sdtp(folder, "fetch", "org/tiny", "--include", "README*", "onnx/*", "--json");
  assert.deepEqual((JSON.parse(only.stdout) as { files: { path: string }[] }).files.map(({ path }) => path).sort(), ["README.md", "onnx/model.onnx"]);
  const missing = await sdtp(folder, "fetch", "org/none");
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /^sdtp: hub: no model org\/none, or a private one: Repository not found .*\n$/);
  process.env["HF_HUB_OFFLINE"] = "1";
  const generated = await sdtp(folder, "generate", "--model", "org/tiny", "--prompt", "the king", "--max-new-tokens", "2", "--json");
  assert.equal(generated.code, 0, generated.stderr);
  assert.equal((JSON.parse(generated.stdout) as { model: string }).model, "org/tiny");
});
