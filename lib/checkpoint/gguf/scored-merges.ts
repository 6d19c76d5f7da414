/**
 * Sentencepiece merges the pair whose whole has the best score. As a list of merges: every way to make a token of two others, best
 * token first; of equal ones the longer left part, the longer right part, then the vocabulary's order, as transformers makes that list.
 */
export function scoredMerges(tokens: readonly string[], scores: ArrayLike<number>): [string, string][] {
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const merges: { pair: [string, string]; score: number; left: number; right: number }[] = [];
  for (const [id, token] of tokens.entries()) {
    const characters = Array.from(token);
    const own: { pair: [string, string]; order: number; left: number; right: number }[] = [];
    let at = 0;
    for (let left = 1; left < characters.length; left++) {
      at += characters[left - 1]!.length;
      const pair: [string, string] = [token.slice(0, at), token.slice(at)];
      const order = ids.get(pair[0]);
      if (order !== undefined && ids.has(pair[1])) own.push({ pair, order, left, right: characters.length - left });
    }
    own.sort((a, b) => a.order - b.order);
    for (const { pair, left, right } of own) merges.push({ pair, score: scores[id]!, left, right });
  }
  return merges.sort((a, b) => b.score - a.score || b.left - a.left || b.right - a.right).map(({ pair }) => pair);
}
