import { Random } from "../../random.js";
import { arrivals } from "./arrivals.js";
import { defects } from "./defects.js";

/** What is asked of a server; names as `vllm bench serve`'s. */
export interface Workload {
  readonly seed: number;
  readonly num_prompts: number;
  /** Tokens of prompts and of answers on average: each has from `1 - range_ratio` to `1 + range_ratio` of it. */
  readonly random_input_len: number;
  readonly random_output_len: number;
  /** From 0 up to, not including, 1. */
  readonly random_range_ratio: number;
  /** Tokens that all prompts begin with, before their own. */
  readonly random_prefix_len: number;
  /** Requests a second; "inf": all at once. */
  readonly request_rate: number | "inf";
  readonly burstiness: number;
  /** Shares of the requests whose client goes away, and that are malformed. */
  readonly cancel_share: number;
  readonly malformed_share: number;
}

export type Kind = "ordinary" | "cancelled" | "malformed";

/** A request that is to be sent. */
export interface Planned {
  readonly index: number;
  readonly kind: Kind;
  /** Seconds after the start. */
  readonly sendAt: number;
  /** Tokens of its own, without the prefix. */
  readonly inputLen: number;
  readonly outputLen: number;
  /** Where in the source of prompts its own begins, from 0 to 1. */
  readonly place: number;
  /** Its client goes away after so many pieces of the answer; 0: before the first, after `patience` seconds. */
  readonly cancelAfter: number | null;
  readonly patience: number;
  /** What is wrong with it, a key of `defects`. */
  readonly defect: string | null;
}

/** @throws where a setting is out of its range */
export function checkWorkload(workload: Workload): void {
  const { num_prompts, random_input_len, random_output_len, random_range_ratio, random_prefix_len, cancel_share, malformed_share } = workload;
  const positive = { num_prompts, random_input_len, random_output_len };
  for (const [name, value] of Object.entries(positive)) if (!Number.isSafeInteger(value) || value < 1) throw new Error(`${words(name)}: ${value} (must be a positive integer)`);
  if (!Number.isSafeInteger(random_prefix_len) || random_prefix_len < 0) throw new Error(`random prefix len: ${random_prefix_len} (must be an integer, 0 or more)`);
  if (!(random_range_ratio >= 0 && random_range_ratio < 1)) throw new Error(`random range ratio: ${random_range_ratio} (must be from 0 up to, not including, 1)`);
  for (const [name, value] of Object.entries({ cancel_share, malformed_share })) if (!(value >= 0 && value <= 1)) throw new Error(`${words(name)}: ${value} (must be from 0 to 1)`);
  if (cancel_share + malformed_share > 1) throw new Error(`cancel share and malformed share: ${cancel_share} and ${malformed_share} (must be 1 or less together)`);
}

const words = (name: string) => name.replaceAll("_", " ");

/** All requests, in the order in which they are sent; the same settings give the same ones. @throws as `checkWorkload` */
export function planned(workload: Workload): Planned[] {
  checkWorkload(workload);
  const { seed, num_prompts: count, random_input_len, random_output_len, random_range_ratio: ratio, request_rate, burstiness, cancel_share, malformed_share } = workload;
  const times = arrivals(count, request_rate === "inf" ? Infinity : request_rate, burstiness, new Random(seed, 1));
  const [cancelled, malformed] = [Math.round(cancel_share * count), Math.round(malformed_share * count)];
  const order = new Random(seed, 2).sample(Array.from({ length: count }, (_, i) => i), Math.min(count, cancelled + malformed));
  const kinds = new Map(order.map((index, at): [number, Kind] => [index, at < cancelled ? "cancelled" : "malformed"]));
  const names = Object.keys(defects);
  let wrong = 0;
  return times.map((sendAt, index) => {
    const random = new Random(seed, 3, index);
    const around = (length: number) => random.between(Math.max(1, Math.floor(length * (1 - ratio))), Math.ceil(length * (1 + ratio)));
    const kind = kinds.get(index) ?? "ordinary";
    const [inputLen, outputLen] = [around(random_input_len), around(random_output_len)];
    return {
      index, kind, sendAt, inputLen, outputLen,
      place: random.next(),
      cancelAfter: kind === "cancelled" ? random.int(outputLen) : null,
      patience: 0.005 + 0.5 * random.next(),
      defect: kind === "malformed" ? names[wrong++ % names.length]! : null,
    };
  });
}
