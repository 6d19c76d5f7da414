import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, it } from "node:test";
import { createHeader, decode, encode, RejectedMessage, ReplayGuard, Signer, type Message } from "../../../lib/jupyter/index.js";

const message = (content = {}): Message => ({
  header: createHeader("execute_request", "session"),
  parent_header: {},
  metadata: {},
  content,
  buffers: [Buffer.from([0, 255])],
  identities: [Buffer.from("peer")],
});

const reason = (frames: Uint8Array[], signer: Signer) => {
  try {
    decode(frames, signer);
  } catch (error) {
    assert.ok(error instanceof RejectedMessage);
    return error.reason;
  }
  return "none";
};

describe("wire format", () => {
  it("reads what it wrote", () => {
    const signer = new Signer("key");
    const sent = message({ code: "'🐺'" });
    assert.deepEqual(decode(encode(sent, signer), signer), sent);
  });

  it("lays frames out as the protocol says", () => {
    const frames = encode(message(), new Signer("key", "hmac-sha256")).map((frame) => Buffer.from(frame));
    assert.equal(frames[0]?.toString(), "peer");
    assert.equal(frames[1]?.toString(), "<IDS|MSG>");
    const expected = createHmac("sha256", "key").update(Buffer.concat(frames.slice(3, 7))).digest("hex");
    assert.equal(frames[2]?.toString(), expected);
    assert.deepEqual([...(frames[7] ?? [])], [0, 255]);
  });

  it("signs by the scheme of the connection file, or not at all", () => {
    for (const scheme of ["hmac-sha256", "hmac-sha512", "hmac-md5", "hmac-sha3_256", "hmac-blake2b"]) {
      const signer = new Signer("key", scheme);
      assert.equal(reason(encode(message(), signer), signer), "none");
      assert.equal(reason(encode(message(), signer), new Signer("other", scheme)), "bad signature");
    }
    const none = new Signer("");
    assert.equal(Buffer.from(encode(message(), none)[2] as Uint8Array).length, 0);
    assert.equal(reason(encode(message(), none), none), "none");
    assert.throws(() => new Signer("key", "rot13"), /signature_scheme: rot13 \(must be hmac- and a hash/);
  });

  it("signs as Python does, by its names of hashes", () => {
    const digests = {
      sha256: "ca767b02c5bc061ed184a9a029e7f93a7f2f7ed4e8fe74120fc1212f0b008fa3",
      sha3_256: "6abf3f7198238a1b724312ab076ddf045ba59c72917661d9411d511287119f51",
      blake2b: "0bd748408a22300379a8c2548bc9fc21b574be30e1d6f47d2aad9710bb9239452da32662fe9c6d05dc57b737e8d1f7b68cc4d388c918d5778cd84e789e593ed7",
      blake2s: "d669bc2254fe96825a2d08a4d35b42a729fc3f3bb1d2006dc90904e56665318c",
      sha512_256: "b3ab1e4a65a209b858625891dbcefa4ffaaba1d9adac9e121cfb380f9b8f1fb4",
    };
    for (const [hash, digest] of Object.entries(digests)) assert.equal(new Signer("key", `hmac-${hash}`).sign([Buffer.from("{}{}{}{}")]), digest);
  });

  it("refuses what is damaged, and says why", () => {
    const signer = new Signer("key");
    const frames = encode(message(), signer);
    const signed = (...parts: string[]) => {
      const buffers = parts.map((part) => Buffer.from(part));
      return [Buffer.from("<IDS|MSG>"), Buffer.from(signer.sign(buffers)), ...buffers];
    };
    assert.equal(reason([], signer), "no delimiter");
    assert.equal(reason(frames.filter((_, i) => i !== 1), signer), "no delimiter");
    assert.equal(reason(frames.slice(0, 5), signer), "too few frames");
    assert.equal(reason(frames.with(2, Buffer.from("00")), signer), "bad signature");
    assert.equal(reason(frames.with(6, Buffer.from('{"code":"evil"}')), signer), "bad signature");
    assert.equal(reason(signed("{", "{}", "{}", "{}"), signer), "bad json");
    assert.equal(reason(signed('{"msg_id":"1"}', "{}", "{}", "{}"), signer), "bad header");
    assert.equal(reason(signed('{"msg_id":"1","msg_type":"x"}', "{}", "[]", "{}"), signer), "bad json");
    const invalidUtf8 = [Buffer.from('{"msg_id":"1","msg_type":"x"}'), Buffer.from("{}"), Buffer.from("{}"), Buffer.from([0x7b, 0xff, 0x7d])];
    assert.equal(reason([Buffer.from("<IDS|MSG>"), Buffer.from(signer.sign(invalidUtf8)), ...invalidUtf8], signer), "bad json");
  });

  it("refuses a message that was recorded and sent again", () => {
    const signer = new Signer("key");
    const guard = new ReplayGuard(2);
    const [a, b, c] = [message({ n: 1 }), message({ n: 2 }), message({ n: 3 })].map((each) => encode(each, signer)) as [Uint8Array[], Uint8Array[], Uint8Array[]];
    guard.admit(a);
    assert.throws(() => guard.admit(a), /duplicate signature/);
    guard.admit(b);
    guard.admit(c);
    assert.throws(() => guard.admit(c), /duplicate signature/);
    guard.admit(a);
  });
});
