// What anybody may send: the server says what is wrong and goes on, and whoever does not end lets others have their turn.
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { after, before, describe, it } from "node:test";
import { load, type Model } from "../../../lib/runtime/model.js";
import { serve, type Served, type ServeOptions } from "../../../lib/serve/index.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";

describe("a server that anybody may ask", { timeout: 600_000 }, () => {
  const tiny = tinyCheckpoint("llama");
  const errors: Error[] = [];
  const servers: Served[] = [];
  const sockets: Socket[] = [];
  let model: Model;
  let served: Served;
  const start = async (options: ServeOptions = {}) => {
    const server = await serve(model, { port: 0, name: "m", onError: (error) => errors.push(error), ...options });
    servers.push(server);
    return server;
  };
  before(async () => {
    model = await load(tiny.folder, { threads: 1 });
    served = await start();
  });
  after(async () => {
    for (const socket of sockets) socket.destroy();
    for (const server of servers) await server.close();
    await model.release();
    tiny.remove();
    assert.deepEqual(errors.map(({ message }) => message), [], "errors of the server's own");
  });

  const right = { model: "m", prompt: [5, 6, 7, 8], max_tokens: 3, temperature: 0 };
  const post = (body: string | Uint8Array<ArrayBuffer>, path = "completions", at = served) => fetch(`${at.url}/${path}`, { method: "POST", body });
  const ask = (fields: object, path?: string) => post(JSON.stringify({ ...right, ...fields }), path);
  const goesOn = async (at = served) => assert.equal((await post(JSON.stringify(right), "completions", at)).status, 200);
  const metric = async (name: string, at = served) => {
    const text = await (await fetch(at.url.replace("/v1", "/metrics"))).text();
    return [...text.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, "gm"))].reduce((sum, match) => sum + Number(match[1]), 0);
  };
  const until = async (holds: () => Promise<boolean>) => {
    while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 10));
  };
  /** A connection of one's own. @returns it once `text` is on its way */
  const raw = async (text: string, at = served): Promise<Socket> => {
    const socket = connect(Number(new URL(at.url).port), "127.0.0.1");
    sockets.push(socket);
    socket.on("error", () => {});
    await new Promise((resolve) => socket.once("connect", resolve));
    await new Promise((resolve) => socket.write(text, resolve));
    return socket;
  };
  const request = (fields: object, length?: number) => {
    const body = JSON.stringify({ ...right, ...fields });
    return `POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${length ?? Buffer.byteLength(body)}\r\n\r\n${body}`;
  };

  it("bodies that are no requests are refused with what is wrong, and nothing else is disturbed", async () => {
    const cases: [string | Uint8Array<ArrayBuffer>, RegExp][] = [
      ["", /the body is not JSON/],
      ["{", /the body is not JSON/],
      ["null", /must be a JSON object/],
      [Uint8Array.of(0x7b, 0xff, 0x7d), /the body is not UTF-8 text/],
      [`{"model": "m", "prompt": "\u0000`, /the body is not JSON/],
      ["[".repeat(2_000_000), /nested deeper than 200/],
      [`{"a":`.repeat(100_000), /nested deeper than 200/],
      [JSON.stringify({ ...right, user: "[{".repeat(1000), n: 0 }), /^n: /],
      [`{"model": "m", "prompt": "a", "__proto__": {"x": 1}}`, /Unrecognized request argument supplied: __proto__/],
      [`{"model": "m", "prompt": "a", "max_tokens": 1e999}`, /^max_tokens: .*received Infinity/],
    ];
    for (const [body, message] of cases) {
      const answer = await post(body);
      assert.equal(answer.status, 400);
      assert.match(((await answer.json()) as { error: { message: string } }).error.message, message);
    }
    await goesOn();
  });

  it("fields are refused by their name, in words", async () => {
    const cases: [object, string, RegExp][] = [
      [{ prompt: [1, "a"] }, "prompt", /must be a string, token ids, or a list/],
      [{ prompt: { text: "a" } }, "prompt", /must be a string, token ids, or a list/],
      [{ prompt: "a".repeat(3_000_000) }, "prompt", /3000000 characters \(more tokens than the model's \d+ positions/],
      [{ prompt: ["x", "a".repeat(3_000_000)] }, "prompt.1", /3000000 characters/],
      [{ prompt: Array(60).fill("a".repeat(100_000)) }, "prompt", /6000000 characters \(at most 4194304/],
      [{ prompt: Array(40).fill("a"), n: 60 }, "prompt", /2400 completions \(at most 1024/],
      [{ seed: 1.5 }, "seed", /must be an integer/],
      [{ stop: [1] }, "stop", /must be a string or at most 16 strings/],
      [{ logit_bias: { x: 1 } }, "logit_bias.x", /keys must be token ids/],
      [{ model: undefined }, "model", /is missing \(expected string\)/],
      [{ suffix: "x" }, "suffix", /must be left out/],
      [{ sdtp: { scorer: "nope" } }, "sdtp.scorer", /known: learned/],
      [{ sdtp: { scorer: "random:x" } }, "sdtp.scorer", /non-negative integer/],
      // Whether a file is there, and what is in it, is nobody's business.
      [{ sdtp: { scorer: "learned:/etc/passwd" } }, "sdtp.scorer", /may name modules of the package alone/],
      [{ sdtp: { scorer: "learned:/no/such/file" } }, "sdtp.scorer", /may name modules of the package alone/],
    ];
    for (const [fields, param, message] of cases) {
      const answer = await ask(fields);
      const { error } = (await answer.json()) as { error: { message: string; param: string } };
      assert.deepEqual([answer.status, error.param], [400, param], error.message);
      assert.match(error.message, message);
    }
    const chat = (await (await ask({ prompt: undefined, messages: [{ role: "user", content: "x" }] }, "chat/completions")).json()) as { error: { message: string; param: string } };
    assert.equal(chat.error.param, "messages");
    assert.ok(!chat.error.message.includes(tiny.folder), "folders of the server's machine are nobody's business");
    // As large as JSON has them, and what changes no answer.
    for (const fields of [{ seed: 2 ** 62 }, { seed: -3 }, { user: "u", service_tier: "auto", prompt_cache_key: "k", safety_identifier: "s" }]) assert.equal((await ask(fields)).status, 200);
    assert.equal((await post(JSON.stringify({ prompt: "a".repeat(3_000_000) }), "../tokenize")).status, 400);
  });

  it("routes and methods that are not there are said so", async () => {
    const get = await fetch(`${served.url}/completions`);
    assert.deepEqual([get.status, get.headers.get("Allow")], [405, "POST"]);
    assert.equal((await post("{}", "models")).headers.get("Allow"), "GET");
    assert.equal((await fetch(`${served.url}/files`)).status, 404);
    assert.equal((await fetch(`${served.url}/models/%E0%A4%A`)).status, 404);
  });

  it("every request is counted once, whatever its end", async () => {
    const server = await start({ apiKey: "k" });
    const headers = { Authorization: "Bearer k" };
    const send = async (body: string, key = true) => (await fetch(`${server.url}/completions`, { method: "POST", body, ...(key && { headers }) })).text();
    await send(JSON.stringify(right));
    await send(JSON.stringify({ ...right, stream: true }));
    await send("{");
    await send(JSON.stringify({ ...right, n: 0 }));
    await send(JSON.stringify(right), false);
    const text = await (await fetch(server.url.replace("/v1", "/metrics"))).text();
    const counts = Object.fromEntries([...text.matchAll(/^sdtp:requests_total\{route="\/v1\/completions",status="(\d+)"\} (\d+)$/gm)].map(([, status, count]) => [status, Number(count)]));
    assert.deepEqual(counts, { 200: 2, 400: 2, 401: 1 });
    for (const [name, value] of Object.entries({ "sdtp:time_to_first_token_seconds_count": 2, "sdtp:e2e_request_latency_seconds_count": 2, "sdtp:request_queue_time_seconds_count": 2, "sdtp:prompt_tokens_total": 8, "sdtp:kept_tokens_total": 8 })) assert.equal(await metric(name, server), value, name);
    assert.ok((await metric("process_resident_memory_bytes", server)) > 2 ** 20);
  });

  it("a client that goes away stops what it asked for, however it asked", async () => {
    const room = model.config.maxPositions - right.prompt.length;
    const endless = { max_tokens: room, n: 64, ignore_eos: true, temperature: 1, seed: 1 };
    for (const fields of [{ ...endless, stream: true }, endless, { ...endless, logprobs: 20, stream: true }]) {
      const socket = await raw(request(fields));
      await until(async () => (await metric("sdtp:num_requests_running")) === 1);
      socket.destroy();
      await until(async () => (await metric("sdtp:num_requests_running")) === 0);
      assert.equal(await metric("sdtp:kv_cache_bytes"), 0);
    }
    assert.equal(await metric("sdtp:num_requests_waiting"), 0);
    await goesOn();
  });

  it("clients that go away while they wait for the model end nothing but what they asked for", async () => {
    const server = await start({ maxRunning: 8, maxWaiting: 1000 });
    const prompt = Array.from({ length: 48 }, (_, i) => 5 + (i % 40));
    const staying = Array.from({ length: 10 }, (_, i) => post(JSON.stringify({ ...right, prompt: [...prompt, i + 5] }), "completions", server));
    const leaving = 60;
    for (let i = 0; i < leaving; i++) {
      const socket = await raw(request({ prompt: [i + 5, ...prompt], stream: i % 2 === 0 }), server);
      socket.destroy();
    }
    for (const answer of await Promise.all(staying)) assert.equal(answer.status, 200);
    await until(async () => (await metric("sdtp:num_requests_running", server)) + (await metric("sdtp:num_requests_waiting", server)) === 0);
    await goesOn(server);
  });

  it("a client that reads nothing holds its place no longer than the time limit", async () => {
    const server = await start({ timeout: 1, maxRunning: 1 });
    const socket = await raw(request({ max_tokens: model.config.maxPositions - 4, n: 64, ignore_eos: true, temperature: 1, logprobs: 20, stream: true }), server);
    socket.pause();
    await until(async () => (await metric("sdtp:requests_total", server)) === 1);
    assert.equal(await metric("sdtp:num_requests_running", server), 0);
  });

  it("requests that come slowly, or not whole, keep nobody waiting", async () => {
    const server = await start({ maxRunning: 1, maxWaiting: 0 });
    const half = await raw(request({}, 10_000), server);
    const silent = await Promise.all(Array.from({ length: 200 }, () => raw("", server)));
    const begun = await Promise.all(Array.from({ length: 50 }, () => raw("POST /v1/completions HTTP/1.1\r\nHost: x\r\nX-A: ", server)));
    await goesOn(server);
    // No head of a request either: what is no HTTP is answered as such.
    const odd = await raw("\u0000\u0001\u0002\r\n\r\n", server);
    assert.match(await new Promise<string>((resolve) => odd.once("data", (data) => resolve(String(data)))), /^HTTP\/1\.1 400/);
    for (const socket of [half, odd, ...silent, ...begun]) socket.destroy();
    await goesOn(server);
    const large = await fetch(`${server.url}/completions`, { method: "POST", body: "x".repeat(17 * 2 ** 20) });
    assert.equal(large.status, 413);
    await goesOn(server);
  });
});
