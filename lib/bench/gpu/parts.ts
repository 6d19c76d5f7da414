import type { GpuModel, GpuSettings } from "./settings.js";

/** A part of the run: what is kept as one file, in the order of what is worth most. */
export type Part =
  | { readonly kind: "device" | "operators" | "methods" | "bandwidth"; readonly id: string; readonly title: string }
  | { readonly kind: "row" | "memory"; readonly id: string; readonly title: string; readonly model: GpuModel; readonly config: string; readonly length: number }
  | { readonly kind: "depth"; readonly id: string; readonly title: string; readonly model: GpuModel; readonly length: number }
  | { readonly kind: "energy"; readonly id: string; readonly title: string; readonly model: GpuModel; readonly config: string; readonly length: number };

/**
 * All parts, those first without which the others say nothing, then by worth: whether the device computes what it must; Table 2 at the lengths that
 * matter, the baseline before what is held against it; the longest ones; rivals; decoding by depth; memory alone; energy.
 */
export function partsOf(settings: GpuSettings): Part[] {
  const { models, near, far, ours, rivals, depths, energy } = settings;
  const rows = (configs: readonly string[], lengths: readonly number[]) => models.flatMap((model) => configs.flatMap((config) => lengths.map((length): Part => place("row", model, config, length))));
  const longest = Math.max(...near, ...far);
  return [
    { kind: "device", id: "check-device", title: "the device's own check" },
    { kind: "operators", id: "check-operators", title: "numerics of every operator" },
    { kind: "methods", id: "check-methods", title: "pruned prompts, decoding and caches of every method" },
    ...rows(["baseline", ...ours], near),
    ...rows(["baseline", ...ours], far),
    ...rows(rivals, near),
    { kind: "bandwidth", id: "bandwidth", title: "memory bandwidth of the device" },
    ...models.flatMap((model) => depths.map((length): Part => ({ kind: "depth", id: `depth-${model.label}-${length}`, title: `${model.label}: a decode step at ${length} tokens`, model, length }))),
    ...models.flatMap((model) => ["baseline", ...ours].map((config): Part => place("memory", model, config, longest))),
    ...models.flatMap((model) => ["baseline", ...ours].map((config): Part => place("energy", model, config, energy.length))),
    ...rows(rivals, far),
  ];
}

function place(kind: "row" | "memory" | "energy", model: GpuModel, config: string, length: number): Part {
  const what = { row: "", memory: "memory of ", energy: "energy of " }[kind];
  return { kind, id: `${kind}-${model.label}-${config}-${length}`, title: `${model.label}: ${what}${config} at ${length} tokens`, model, config, length };
}

/** Rows that one process measures with one copy of the graphs: those that follow each other, of one model and configuration. */
export function together(parts: readonly Part[]): Part[][] {
  const groups: Part[][] = [];
  for (const part of parts) {
    const last = groups.at(-1)?.[0];
    if (last && last.kind === part.kind && "model" in last && "model" in part && last.model.label === part.model.label && (part.kind === "depth" || (part.kind === "row" && (last as typeof part).config === part.config))) groups.at(-1)!.push(part);
    else groups.push([part]);
  }
  return groups;
}
