// The protocol that all peers speak, for those in JavaScript: a JSON object a line, in on stdin, out on file 3, so that nothing a
// library prints gets in between. In: {op: "load", …}, {op: "run", ids, newTokens}, {op: "exit"}. Out: {loaded}, {first: true} as soon as
// the first token of a run is known, {ran}, {error}. Times are taken here, the same way for each: from the prompt to the first token, then from token to token.
import { createHash } from "node:crypto";
import { readFileSync, writeSync } from "node:fs";
import { createInterface } from "node:readline";

/** Of a package beside the driver. */
export const versionOf = (name) => JSON.parse(readFileSync(new URL(`./node_modules/${name}/package.json`, import.meta.url), "utf8")).version;

const send = (message) => writeSync(3, `${JSON.stringify(message)}\n`);

/**
 * @param load makes the model ready; gives { versions, settings } for the record
 * @param run feeds the prompt and calls `onToken` with each greedy token as it is known, `newTokens` + 1 in all; gives the ids as they were fed
 */
export async function serve({ load, run }) {
  for await (const line of createInterface({ input: process.stdin })) {
    const { op, ...message } = JSON.parse(line);
    try {
      if (op === "load") send({ loaded: await load(message) });
      else if (op === "run") send({ ran: await timed(run, message) });
      else break;
    } catch (error) {
      send({ error: error?.message ?? String(error) });
    }
  }
  process.exit(0);
}

async function timed(run, { ids, newTokens }) {
  const [tokens, times] = [[], []];
  globalThis.gc?.();
  const started = performance.now();
  const fed = await run(ids, newTokens, (token) => {
    times.push(performance.now());
    tokens.push(Number(token));
    if (tokens.length === 1) send({ first: true });
  });
  if (tokens.length !== newTokens + 1) throw new Error(`${tokens.length} tokens came (asked for ${newTokens + 1})`);
  return {
    prefill: (times[0] - started) / 1e3,
    decode: times.slice(1).map((time, i) => (time - times[i]) / 1e3),
    tokens,
    fed: createHash("sha256").update(JSON.stringify(Array.from(fed, Number))).digest("hex"),
  };
}
