import type { InferenceSession } from "onnxruntime-node";

/**
 * Tensors that stay on the device live in the memory of the session that made them: to use one after its session was
 * released ends the process. So such sessions are released only when no cache holds a tensor of theirs any more.
 */
interface Lease {
  holders: number;
  /** To be released when the last holder lets go. */
  over: boolean;
}

const leases = new WeakMap<InferenceSession, Lease>();

/** A tensor of the session is held. */
export function hold(session: InferenceSession): void {
  const lease = leases.get(session) ?? { holders: 0, over: false };
  lease.holders++;
  leases.set(session, lease);
}

export function letGo(session: InferenceSession): void {
  const lease = leases.get(session)!;
  if (--lease.holders === 0 && lease.over) void session.release();
}

/** Releases the session, now or as soon as nothing of it is held. */
export async function release(session: InferenceSession): Promise<void> {
  const lease = leases.get(session);
  if (lease && lease.holders > 0) lease.over = true;
  else await session.release();
}
