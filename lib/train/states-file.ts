import { open, stat, truncate } from "node:fs/promises";
import { decodeFloat16, encodeFloat16 } from "../checkpoint/half.js";

/**
 * Hidden states of prompts' tokens after the blocks whose saliency was measured, in float16, raw: example after example, of each token its state
 * after each block, `[promptLength, blocks, d]`. Modules can be trained on them without running the model again.
 */
export class StatesFile {
  constructor(
    readonly file: string,
    private readonly blocks: number,
    private readonly hiddenSize: number,
  ) {}

  private get tokenBytes(): number {
    return 2 * this.blocks * this.hiddenSize;
  }

  /** Whole tokens in it. */
  async tokens(): Promise<number> {
    return Math.floor((await stat(this.file).then(({ size }) => size, () => 0)) / this.tokenBytes);
  }

  /** Cuts it to that many tokens. */
  async cut(tokens: number): Promise<void> {
    await (await open(this.file, "a")).close();
    await truncate(this.file, tokens * this.tokenBytes);
  }

  /**
   * Appends a prompt's states, of each block `[n, d]`, of which the first `promptLength` rows are kept.
   * @throws on a number that float16 does not hold
   */
  async append(states: readonly Float32Array[], promptLength: number): Promise<void> {
    const d = this.hiddenSize;
    const rows = new Float32Array(promptLength * this.blocks * d);
    states.forEach((state, b) => {
      for (let token = 0; token < promptLength; token++) rows.set(state.subarray(token * d, (token + 1) * d), (token * this.blocks + b) * d);
    });
    const largest = rows.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    if (!(largest < 65504)) throw new Error(`hidden states: ${largest} (float16 holds less than 65504; measure without --states)`);
    const handle = await open(this.file, "a");
    try {
      await handle.write(new Uint8Array(encodeFloat16(rows).buffer));
    } finally {
      await handle.close();
    }
  }

  /** States of `count` tokens from token `start` on: of each block `[count, d]`. */
  async read(start: number, count: number): Promise<Float32Array[]> {
    const bytes = new Uint8Array(count * this.tokenBytes);
    const handle = await open(this.file, "r");
    try {
      const { bytesRead } = await handle.read(bytes, 0, bytes.length, start * this.tokenBytes);
      if (bytesRead < bytes.length) throw new Error(`${this.file}: ends after ${await this.tokens()} tokens (must have ${start + count}; measure again with --states)`);
    } finally {
      await handle.close();
    }
    const rows = decodeFloat16(new Uint16Array(bytes.buffer));
    const d = this.hiddenSize;
    return Array.from({ length: this.blocks }, (_, b) => {
      const state = new Float32Array(count * d);
      for (let token = 0; token < count; token++) state.set(rows.subarray((token * this.blocks + b) * d, (token * this.blocks + b + 1) * d), token * d);
      return state;
    });
  }
}
