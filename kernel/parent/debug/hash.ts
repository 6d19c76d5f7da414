const M = 0x5bd1e995;

/**
 * MurmurHash2, 32 bits, of a text in UTF-8: what JupyterLab names a cell's source by (`hashMethod` of debugInfo).
 * Source: Austin Appleby, https://github.com/aappleby/smhasher (MurmurHash2.cpp, public domain).
 */
export function murmur2(text: string, seed: number): number {
  const data = Buffer.from(text, "utf8");
  let hash = seed ^ data.length;
  let at = 0;
  for (; at + 4 <= data.length; at += 4) {
    let k = Math.imul(data.readInt32LE(at), M);
    k = Math.imul(k ^ (k >>> 24), M);
    hash = Math.imul(hash, M) ^ k;
  }
  const left = data.length - at;
  if (left > 0) {
    for (let i = left - 1; i >= 0; i--) hash ^= (data[at + i] as number) << (8 * i);
    hash = Math.imul(hash, M);
  }
  hash = Math.imul(hash ^ (hash >>> 13), M);
  return (hash ^ (hash >>> 15)) >>> 0;
}
