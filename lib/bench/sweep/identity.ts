import { createHash } from "node:crypto";
import { canonicalJson } from "../../checkpoint/json.js";
import type { Group } from "../group.js";
import type { RunFacts } from "../metadata.js";

/** All that decides what is measured, the machine aside. */
export function identityOf({ subject, presets, scorer, kvPolicy, ids, memory, mode, repeats, warmup, maxNewTokens }: Group, { modelHash, environment }: Pick<RunFacts, "modelHash" | "environment">) {
  const { checkpoint, device, dtype, accuracy, kvDtype, threads, scorerKey } = subject;
  return {
    model: checkpoint.name, modelHash, device, dtype, accuracy, kvDtype, threads, presets, scorer: scorer ?? null, scorerKey, kvPolicy: kvPolicy ?? null,
    ids: createHash("sha256").update(JSON.stringify(ids)).digest("hex"), memory, mode, repeats, warmup, maxNewTokens,
    // Another version may measure something else.
    versions: environment.versions,
  };
}

/** SHA-256 of the identity, hex, with the processor: another machine may measure something else too. */
export function keyOf(group: Group, facts: Pick<RunFacts, "modelHash" | "environment">): string {
  return digest({ ...identityOf(group, facts), cpu: facts.environment.cpu });
}

/** An identity as it goes over a process boundary. */
export type Identity = Record<string, unknown>;

/**
 * What a cell is wherever it is measured: without the processor, what products are rounded to on the device, and, where
 * none were asked for, the number of threads, which every machine has its own of.
 */
export function anywhereOf(group: Group, facts: Pick<RunFacts, "modelHash" | "environment">, threads: number | undefined): Identity {
  const { accuracy: _, ...identity } = identityOf(group, facts);
  return JSON.parse(JSON.stringify({ ...identity, threads: threads ?? null, anywhere: true })) as Identity;
}

/** SHA-256 over a value as canonical JSON, hex. */
export function digest(value: unknown): string {
  return createHash("sha256").update(canonicalJson(JSON.parse(JSON.stringify(value)))).digest("hex");
}
