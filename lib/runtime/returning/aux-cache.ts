/** Hidden states of tokens that fell at one stage and that the blocks after it have not computed (the Aux Cache of LazyLLM, arXiv:2407.14057, section 4). */
export class AuxCache {
  /** By original position, `[d]` each, in an array of its own: what returns frees its memory. */
  private readonly rows: Map<number, Float32Array>;

  constructor(rows: Iterable<readonly [number, Float32Array]> = []) {
    this.rows = new Map(rows);
  }

  /** @param hidden `[positions.length, width]` */
  static of(positions: Int32Array, hidden: Float32Array, width: number): AuxCache {
    return new AuxCache(Array.from(positions, (position, row) => [position, hidden.slice(row * width, (row + 1) * width)] as const));
  }

  /** Original positions, ascending. */
  get positions(): Int32Array {
    return Int32Array.from(this.rows.keys()).sort();
  }

  get size(): number {
    return this.rows.size;
  }

  /** Bytes of the arrays. */
  get bytes(): number {
    let bytes = 0;
    for (const { byteLength } of this.rows.values()) bytes += byteLength;
    return bytes;
  }

  /** @throws where the position is not there */
  get(position: number): Float32Array {
    const row = this.rows.get(position);
    if (!row) throw new Error(`aux cache: position ${position} (is not in it)`);
    return row;
  }

  put(position: number, hidden: Float32Array): void {
    this.rows.set(position, hidden);
  }

  forget(position: number): void {
    this.rows.delete(position);
  }

  /** Rows are never written to: copies share them. */
  copy(): AuxCache {
    return new AuxCache(this.rows);
  }
}
