// A request has one end, whatever a server does: a server that does all of it.
import assert from "node:assert/strict";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { after, before, describe, it } from "node:test";
import { ask, target, type Sample } from "../../../../lib/bench/serve/client.js";
import type { Planned } from "../../../../lib/bench/serve/workload.js";

const piece = (text: string, finish_reason: string | null = null) => `data: ${JSON.stringify({ choices: [{ index: 0, text, finish_reason }] })}\n\n`;
const usage = `data: ${JSON.stringify({ choices: [], usage: { prompt_tokens: 7, completion_tokens: 3 } })}\n\ndata: [DONE]\n\n`;
const error = (message: string, type = "server_error") => JSON.stringify({ error: { message, type, param: null, code: null } });

const answers: Readonly<Record<string, (response: ServerResponse) => void>> = {
  whole: (response) => response.end(piece("a") + piece("b") + piece("", "length") + usage),
  "in odd pieces": (response) => {
    const bytes = Buffer.from(piece("ä") + piece("b") + piece("", "stop") + usage);
    response.flushHeaders();
    for (let at = 0; at < bytes.length; at += 7) response.write(bytes.subarray(at, at + 7));
    response.end();
  },
  chat: (response) => response.end(`data: ${JSON.stringify({ choices: [{ delta: { role: "assistant", content: "a" } }] })}\r\n\r\ndata: ${JSON.stringify({ choices: [{ delta: {}, finish_reason: "stop" }] })}\r\n\r\n`),
  wrong: (response) => response.writeHead(400).end(error("prompt: is wrong")),
  full: (response) => response.writeHead(429).end(error("come again")),
  slow: (response) => response.writeHead(504).end(error("too long")),
  broken: (response) => response.writeHead(500).end("<html>no JSON</html>"),
  "fails in the middle": (response) => response.end(piece("a") + `data: ${error("out of memory")}\n\n`),
  "times out in the middle": (response) => response.end(piece("a") + `data: ${error("too long", "timeout")}\n\n`),
  "stops in the middle": (response) => response.end(piece("a")),
  "sends no JSON": (response) => response.end("data: {\n\n"),
  "hangs up": (response) => response.socket!.destroy(),
  "hangs up in the middle": (response) => {
    response.write(piece("a"));
    setImmediate(() => response.socket!.destroy());
  },
  silent: () => {},
  "answers once a connection": (response) => {
    const socket = response.socket as Socket & { answered?: true };
    if (socket.answered) socket.destroy();
    else response.end(piece("a", "stop"));
    socket.answered = true;
  },
  endless: (response) => {
    const timer = setInterval(() => response.write(piece("a")), 5);
    response.on("close", () => clearInterval(timer));
  },
};

describe("a request of a load", () => {
  let server: Server;
  let base: string;
  before(async () => {
    server = createServer((request, response) => request.resume().on("end", () => answers[decodeURIComponent(request.url!.slice(1))]!(response)));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  const request: Planned = { index: 5, kind: "ordinary", sendAt: 0, inputLen: 7, outputLen: 3, place: 0, cancelAfter: null, patience: 0.01, defect: null };
  const send = async (name: string, { timeout = 60, ...change }: Partial<Planned> & { timeout?: number } = {}, signal = new AbortController().signal): Promise<Sample | null> => {
    const to = target(`${base}/${encodeURIComponent(name)}`, {}, timeout);
    try {
      return await ask(to, { ...request, ...change }, Buffer.from("{}"), performance.now(), 100, signal);
    } finally {
      to.agent.destroy();
    }
  };

  it("ends as the server says, and is lost where it says nothing", async () => {
    const expected: Record<string, [string, number | null, RegExp | null]> = {
      whole: ["completed", 200, null],
      "in odd pieces": ["completed", 200, null],
      chat: ["completed", 200, null],
      wrong: ["refused", 400, /^prompt: is wrong$/],
      full: ["busy", 429, /^come again$/],
      slow: ["timed_out", 504, /^too long$/],
      broken: ["failed", 500, /^<html>no JSON/],
      "fails in the middle": ["failed", 200, /^out of memory$/],
      "times out in the middle": ["timed_out", 200, /^too long$/],
      "stops in the middle": ["lost", 200, /before the answer did/],
      "sends no JSON": ["failed", 200, /is not JSON/],
      "hangs up": ["lost", null, /./],
      "hangs up in the middle": ["lost", 200, /./],
    };
    for (const [name, [ended, status, message]] of Object.entries(expected)) {
      const sample = (await send(name))!;
      assert.deepEqual([name, sample.ended, sample.status], [name, ended, status]);
      if (message) assert.match(sample.error ?? "", message);
      else assert.equal(sample.error, null);
    }
    assert.deepEqual([(await send("silent", { timeout: 0.2 }))!.ended, (await send("endless", { timeout: 0.2 }))!.ended], ["lost", "lost"]);
  });

  it("has the server's tokens and its own times", async () => {
    const sample = (await send("whole"))!;
    assert.deepEqual([sample.index, sample.prompt_tokens, sample.output_tokens, sample.itl.length], [5, 7, 3, 1]);
    assert.ok(sample.start >= 100 && sample.start < 101);
    assert.ok(sample.ttft! > 0 && sample.e2el >= sample.ttft! + sample.itl[0]!);
    // Nothing was told of its usage: pieces are counted.
    assert.deepEqual([(await send("chat"))!.prompt_tokens, (await send("chat"))!.output_tokens], [null, 1]);
  });

  it("is sent again where the connection it was to share was closed", async () => {
    const to = target(`${base}/${encodeURIComponent("answers once a connection")}`, {}, 60);
    for (let i = 0; i < 4; i++) {
      const sample = (await ask(to, request, Buffer.from("{}"), performance.now(), 0, new AbortController().signal))!;
      assert.deepEqual([sample.ended, sample.error], ["completed", null]);
    }
    to.agent.destroy();
  });

  it("is cancelled where it is to be, before or amid the answer; a stop of the measurement leaves nothing", async () => {
    const amid = (await send("endless", { kind: "cancelled", cancelAfter: 3 }))!;
    assert.deepEqual([amid.ended, amid.output_tokens, amid.itl.length], ["cancelled", 3, 2]);
    const before = (await send("silent", { kind: "cancelled", cancelAfter: 0 }))!;
    assert.deepEqual([before.ended, before.status, before.ttft], ["cancelled", null, null]);
    const stop = new AbortController();
    const stopped = send("endless", {}, stop.signal);
    setTimeout(() => stop.abort(), 30);
    assert.equal(await stopped, null);
  });
});
