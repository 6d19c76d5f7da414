import type { Redis } from "ioredis";
import { z } from "zod";

/** Seconds between two signs of life, and after which one without them counts as gone. By the server's clock. */
const BEAT = 3;
const GONE = 12;

const schema = z.object({ id: z.string(), machine: z.string(), placements: z.array(z.string()), devices: z.array(z.string()), pid: z.number(), doing: z.record(z.string(), z.string()) });

const json = z.string().transform((text, context): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue("is not JSON");
    return z.NEVER;
  }
});

/** A worker that is there. `doing`: the label of the job on each of its placements. */
export type Presence = z.infer<typeof schema>;

const keyOf = (prefix: string, id: string): string => `${prefix}:worker:${id}`;

/** The workers that are there now, by machine. */
export async function presentWorkers(redis: Redis, prefix: string): Promise<Presence[]> {
  const keys = new Set<string>();
  for (let cursor = "0"; ; ) {
    const [next, found] = await redis.scan(cursor, "MATCH", keyOf(prefix, "*"), "COUNT", 1000);
    for (const key of found) keys.add(key);
    if ((cursor = next) === "0") break;
  }
  if (keys.size === 0) return [];
  const values = await redis.mget([...keys]);
  return values.flatMap((value) => {
    const parsed = value === null ? undefined : json.pipe(schema).safeParse(value);
    return parsed?.success ? [parsed.data] : [];
  }).sort((a, b) => (a.machine < b.machine ? -1 : Number(a.machine > b.machine)));
}

/** Keeps saying that a worker is there. */
export class Heart {
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly redis: Redis, private readonly prefix: string, private readonly presence: () => Presence) {}

  async start(): Promise<void> {
    await this.beat();
    this.timer = setInterval(() => void this.beat().catch(() => {}), 1e3 * BEAT);
  }

  async beat(): Promise<void> {
    const presence = this.presence();
    // While the server is away, beats would pile up.
    if (this.redis.status === "ready") await this.redis.set(keyOf(this.prefix, presence.id), JSON.stringify(presence), "EX", GONE);
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    if (this.redis.status === "ready") await this.redis.del(keyOf(this.prefix, this.presence().id)).catch(() => {});
  }
}
