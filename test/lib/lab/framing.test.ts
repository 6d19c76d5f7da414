import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { pack, unpack } from "../../../lib/lab/kernels/framing.js";

const parts = (...texts: string[]) => texts.map((text) => Buffer.from(text));

describe("the binary protocol of kernels", () => {
  it("has the layout that jupyter_server writes: count, offsets, channel, parts", () => {
    const bytes = pack("shell", parts("{}", "{\"a\":1}", "{}", "{}", "buffer"));
    // Seven offsets of eight bytes after their number: the channel begins at 64.
    const numbers = Array.from({ length: 8 }, (_, i) => Number(bytes.readBigUInt64LE(8 * i)));
    assert.deepEqual(numbers, [7, 64, 69, 71, 78, 80, 82, 88]);
    assert.equal(bytes.subarray(64).toString(), 'shell{}{"a":1}{}{}buffer');
  });

  it("gives back channel and parts, empty ones and buffers too", () => {
    const given = [...parts("{}", "{}", "{}", '{"é":"\u{1f600}"}'), Buffer.from([0, 255, 1]), Buffer.alloc(0)];
    const { channel, parts: found } = unpack(pack("iopub", given));
    assert.equal(channel, "iopub");
    assert.deepEqual(found, given);
  });

  it("refuses bytes that are no message", () => {
    const good = pack("shell", parts("{}", "{}", "{}", "{}"));
    const wrong = (at: number, value: bigint) => {
      const bytes = Buffer.from(good);
      bytes.writeBigUInt64LE(value, at);
      return bytes;
    };
    for (const bytes of [Buffer.alloc(0), Buffer.from("hello"), good.subarray(0, 40), wrong(0, 2n ** 60n), wrong(0, 3n), wrong(16, 1n), wrong(48, 10_000n)]) {
      assert.throws(() => unpack(bytes), /^Error: message: /);
    }
  });
});
