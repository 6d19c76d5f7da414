import type { LoadedGraph } from "./session.js";

/**
 * Tensors that stay on the device live in the memory of the session that made them: to use one after its session was
 * released ends the process. So such sessions are released only when no cache holds a tensor of theirs any more.
 */
interface Lease {
  holders: number;
  /** To be released when the last holder lets go. */
  over: boolean;
}

const leases = new WeakMap<LoadedGraph, Lease>();

/** A tensor of the session is held. */
export function hold(session: LoadedGraph): void {
  const lease = leases.get(session) ?? { holders: 0, over: false };
  lease.holders++;
  leases.set(session, lease);
}

export function letGo(session: LoadedGraph): void {
  const lease = leases.get(session)!;
  if (--lease.holders === 0 && lease.over) void session.release();
}

/** Releases the session, now or as soon as nothing of it is held. */
export async function release(session: LoadedGraph): Promise<void> {
  const lease = leases.get(session);
  if (lease && lease.holders > 0) lease.over = true;
  else await session.release();
}
