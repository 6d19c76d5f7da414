import type { Redis } from "ioredis";

/** A difference of less is that of the way to the server and back. */
const NOTICED = 1000;

/** Milliseconds that this machine's clock is behind the server's, which all rows of a queue are dated by; 0 where they agree. */
export async function clockOffset(redis: Redis): Promise<number> {
  const before = Date.now();
  const [seconds, microseconds] = await redis.time() as [unknown, unknown];
  const middle = (before + Date.now()) / 2;
  const offset = Number(seconds) * 1e3 + Number(microseconds) / 1e3 - middle;
  return Math.abs(offset) < NOTICED ? 0 : Math.round(offset);
}
