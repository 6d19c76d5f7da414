import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, symlinkSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { Queue } from "bullmq";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import { sdtp, temporaryFolder } from "../cli/sdtp.js";
import { connect } from "../../../lib/queue/connection.js";
import { freePort, noServer, quick, redisServer, running, swept, worker } from "./server.js";

test("a model outside of a worker's folders is refused, by a link too; inside it is found under its own name; other weights are refused", { skip: noServer }, async (t) => {
  const cwd = temporaryFolder(t);
  const [model, other] = [tinyCheckpoint("llama"), tinyCheckpoint("llama", { seed: 2 })];
  t.after(() => [model, other].forEach(({ remove }) => remove()));
  const { url } = await redisServer(t, cwd);
  const name = basename(model.folder);
  const folders = Object.fromEntries(["linked", "wrong", "right"].map((each) => [each, join(cwd, each)])) as Record<"linked" | "wrong" | "right", string>;
  for (const folder of Object.values(folders)) mkdirSync(folder);
  symlinkSync(model.folder, join(folders.linked, name));
  cpSync(other.folder, join(folders.wrong, name), { recursive: true });
  cpSync(model.folder, join(folders.right, name), { recursive: true });
  const none = worker(t, cwd, url, "none");
  const linked = worker(t, cwd, url, "linked", ["--models", folders.linked]);
  const wrong = worker(t, cwd, url, "wrong", ["--models", folders.wrong]);
  await Promise.all([none, linked, wrong].map((each) => each.says(/waits for jobs/)));
  const args = quick(model.folder, "--lengths", "30", "--queue", url);
  const refused = await swept(running(t, cwd, [...args, "--folder", "refused"]), 1);
  for (const { error } of refused.rows) {
    assert.match(String(error), /none: model: \S+ \(is not inside the folders that jobs may use; this worker was given none: sdtp worker --models FOLDER\)/);
    assert.match(String(error), /linked: model: \S+ \(is not inside the folders that jobs may use; this worker's: \S+linked\)/);
    assert.match(String(error), /wrong: weights or configuration: [0-9a-f]{24} \(must be [0-9a-f]{24}, as where the job comes from/);
  }
  worker(t, cwd, url, "right", ["--models", folders.right]);
  const { rows } = await swept(running(t, cwd, [...args, "--folder", "s", "--retry-failed"]));
  assert.deepEqual(rows.map(({ machine, model: called }) => [machine, called]), Array(2).fill(["right", model.folder]));
});

test("a job that is not one of the named ones, has other fields, or whose id is not the hash of what it asks for is refused", { skip: noServer }, async (t) => {
  const cwd = temporaryFolder(t);
  const { url } = await redisServer(t, cwd);
  const takes = worker(t, cwd, url, "a");
  await takes.says(/waits for jobs/);
  const { redis, close } = await connect(url);
  const queue = new Queue("timed-cpu", { connection: redis, prefix: "sdtp" });
  t.after(async () => (await queue.close(), await close()));
  const opts = { attempts: 1000 };
  await queue.add("require", { label: "code", code: `require("fs").writeFileSync(${JSON.stringify(join(cwd, "owned"))}, "")` }, { ...opts, jobId: "code" });
  await queue.add("timed", { label: "fields", model: "tiny", __proto__: null, run: "process.exit()" }, { ...opts, jobId: "fields" });
  await queue.add("timed", null, { ...opts, jobId: "null" });
  await queue.add("timed", { label: "refusals", refusals: [null, 3], rounds: "x" }, { ...opts, jobId: "refusals" });
  await queue.add("timed", "text", { ...opts, jobId: "text" });
  await queue.add("timed", {}, { ...opts, jobId: "broken" });
  await redis.hset("sdtp:timed-cpu:broken", "data", "{no json");
  await redis.set("sdtp:worker:forged", "{no json");
  await queue.add("timed", {
    model: "tiny", modelPath: null, dtype: null, kvDtype: "fp32", device: "cpu", threads: 1, seed: 0, label: "forged", command: null, timeoutSeconds: null, refusals: [], rounds: 0,
    presets: ["baseline"], asked: ["baseline"], scorer: null, scorerPath: null, kvPolicy: null, prompt: { hash: "0".repeat(64), source: "x", length: 5 }, memory: false, mode: "prefill", repeats: 1, warmup: 0, maxNewTokens: 1, cost: 1, identity: {},
  }, { ...opts, jobId: "forged" });
  // What cannot be read is not in the way of what can.
  const status = await sdtp(cwd, "queue", "--queue", url);
  assert.equal(status.code, 0, status.stderr);
  const good = await swept(running(t, cwd, quick("tiny", "--lengths", "30", "--folder", "s", "--queue", url)));
  assert.deepEqual(good.rows.map(({ error }) => error), [null, null]);
  const names = ["code", "fields", "forged", "null", "refusals", "text", "broken"];
  await Promise.all(names.map(async (name) => {
    for (const end = Date.now() + 300e3; (await queue.getJobState(name)) !== "failed"; ) {
      if (Date.now() > end) throw new Error(`${name} has not failed: ${takes.said()}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }));
  takes.child.kill("SIGINT");
  assert.equal((await takes.ended).code, 0);
  const failed = Object.fromEntries((await queue.getFailed()).map(({ id, failedReason }) => [id, failedReason]));
  assert.match(failed["code"]!, /job: require \(is not known/);
  assert.match(failed["fields"]!, /job: (modelPath|run|dtype|kvDtype)/);
  for (const id of ["null", "refusals", "text"]) assert.match(failed[id]!, /^job: /, id);
  assert.equal(failed["broken"], "job: its data (is not JSON)");
  assert.match(failed["forged"]!, /prompt: 000000000000 \(is not in the queue/);
  assert.equal(existsSync(join(cwd, "owned")), false);
});

test("a password by URL or environment, TLS by URL: without them the queue is refused, in one sentence without the password", { skip: noServer || noOpenssl() }, async (t) => {
  const cwd = temporaryFolder(t);
  execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"], { cwd, stdio: "ignore" });
  const plain = await redisServer(t, cwd, "--requirepass", "s3cret");
  const tlsPort = await freePort();
  await redisServer(t, cwd, "--requirepass", "s3cret", "--tls-port", String(tlsPort), "--tls-cert-file", join(cwd, "cert.pem"), "--tls-key-file", join(cwd, "key.pem"), "--tls-ca-cert-file", join(cwd, "cert.pem"), "--tls-auth-clients", "no");
  const tls = `rediss://localhost:${tlsPort}`;
  const ask = (url: string, env: NodeJS.ProcessEnv = {}) => running(t, cwd, ["worker", "--queue", url, "--idle-seconds", "0.5"], { env }).ended;
  const withPassword = plain.url.replace("//", "//:s3cret@");
  for (const [url, env, message] of [
    [plain.url, {}, /NOAUTH.*a password goes into the URL/], [plain.url.replace("//", "//:wr0ng@"), {}, /WRONGPASS/], [plain.url, { SDTP_QUEUE_PASSWORD: "wr0ng" }, /WRONGPASS/],
    [tls, { SDTP_QUEUE_PASSWORD: "s3cret" }, /TLS: .*certificate.*SDTP_QUEUE_CA names a file/], ["http://localhost", {}, /queue: http:\/\/localhost \(must be redis:/], ["redis://:s3cret@", {}, /must be redis:/], ["redis://127.0.0.1:1", {}, /no server answers there/],
    [tls, { SDTP_QUEUE_CA: "/nowhere.pem" }, /SDTP_QUEUE_CA: \/nowhere\.pem \(cannot be read: ENOENT\)/],
  ] as const) {
    const { code, stderr } = await ask(url, env);
    assert.equal(code, 1, `${url}: ${stderr}`);
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, /s3cret|wr0ng/);
  }
  for (const [url, env] of [[withPassword, {}], [plain.url, { SDTP_QUEUE_PASSWORD: "s3cret" }], [tls, { SDTP_QUEUE_PASSWORD: "s3cret", SDTP_QUEUE_CA: join(cwd, "cert.pem") }]] as const) {
    const { code, stderr } = await ask(url, env);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /0 jobs done/);
    assert.doesNotMatch(stderr, /s3cret/);
  }
});

test("bad input is refused before anything is filed", { skip: noServer }, async (t) => {
  const cwd = temporaryFolder(t);
  const { url } = await redisServer(t, cwd);
  for (const [args, message] of [
    [["sweep", "--queue", url, "--lengths", "9999999"], /length: 9999999 \(/], [["sweep", "--queue", url, "--device", "auto", "--lengths", "30"], /device: auto \(is another one on every machine/],
    [["sweep", "--queue", url, "--devices", "cpu:0"], /devices: cpu:0 \(are a worker's affair/], [["sweep", "--queue-name", "x"], /queue name: x \(is of no use without --queue\)/],
    [["sweep", "--queue", url, "--queue-name", "a:b", "--lengths", "30"], /queue name: a:b \(must be/], [["worker"], /queue: none \(give --queue/], [["worker", "--queue", url, "--device", "gpu"], /device: gpu \(must be/],
  ] as const) {
    const { code, stderr } = await sdtp(cwd, ...args);
    assert.equal(code, 1, `${args.join(" ")}: ${stderr}`);
    assert.match(stderr, message);
  }
  const { redis, close } = await connect(url);
  assert.deepEqual(await redis.keys("*"), []);
  await close();
});

function noOpenssl(): string | false {
  try {
    execFileSync("openssl", ["version"], { stdio: "ignore" });
    return false;
  } catch {
    return "needs openssl";
  }
}
