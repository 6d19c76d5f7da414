import { formatBytes } from "../../checkpoint/free-space.js";
import { kvTokenBytes } from "../../checkpoint/kv-dtype.js";
import type { Checkpoint } from "../../checkpoint/types.js";
import { planOf, type PlannedModel } from "../../methods/plan/plan.js";
import { resolveMethod } from "../../methods/resolve.js";
import { chosenCard, lookForCards, olderDriver, type Card } from "../../runtime/devices/nvidia-smi.js";
import { deviceMemoryPlan } from "../../runtime/devices/device-memory.js";
import { requireCuda } from "../../runtime/devices/cuda-home.js";
import { cudaProvider, LEAST_DRIVER } from "../../runtime/devices/cuda-provider.js";
import { memoryLimit, memoryPlan } from "../../runtime/memory.js";
import type { Subject } from "../subject.js";

/**
 * The card that a CUDA run will use. Refuses by name what cannot work, before anything long: no card or driver, a driver too old, no provider or one of
 * another version.
 */
export async function requireCard(env: NodeJS.ProcessEnv = process.env): Promise<Card> {
  const { cards, problem } = await lookForCards({ env });
  if (problem !== null) throw new Error(`card: ${problem}`);
  const card = chosenCard(cards, env);
  const provider = cudaProvider(env);
  const cuda = provider.cuda ?? 12;
  const least = LEAST_DRIVER[cuda] ?? LEAST_DRIVER[12]!;
  if (olderDriver(card.driver, least)) throw new Error(`driver: ${card.driver} (too old: CUDA ${cuda} needs ${least} or newer; ${card.name})`);
  requireCuda();
  if (provider.problem !== null) throw new Error(`provider: ${provider.problem}`);
  return card;
}

/** Why a prompt does not fit into the device's memory, or this process's; null: it does, or how much there is cannot be known. */
export function tooLarge({ checkpoint, device, accuracy, kvDtype }: Subject, config: string, length: number, reserve: number, card: Pick<Card, "memoryBytes" | "usedBytes" | "name"> | null): string | null {
  const plan = planOf(resolveMethod(config), length, planned(checkpoint, device, kvDtype));
  if (device === "cpu") {
    const { total } = memoryPlan(checkpoint, plan, { reserve, graphs: 2, kvDtype });
    return total > memoryLimit() ? `needs ${formatBytes(Math.round(total))} of memory, ${formatBytes(memoryLimit())} are there` : null;
  }
  // Graphs for prompts and for tokens, each with the weights.
  const { total } = deviceMemoryPlan(checkpoint, plan, { reserve, graphs: 2, accuracy, kvDtype });
  const free = card?.memoryBytes == null ? null : card.memoryBytes - (card.usedBytes ?? 0);
  if (free !== null && total > free) return `needs about ${formatBytes(Math.round(total))} of the card's memory, ${formatBytes(free)} of ${card!.name} are free`;
  if (device !== "cuda") return null;
  // Caches come over to this process, each tensor beside its place in the cache.
  const host = 2 * plan.tokens.reduce((sum, count) => sum + count, 0) * kvTokenBytes(checkpoint.config, kvDtype);
  return host > memoryLimit() ? `needs about ${formatBytes(host)} of memory beside the card for its cache, ${formatBytes(memoryLimit())} are there` : null;
}

const planned = ({ config }: Checkpoint, device: Subject["device"], kvDtype: Subject["kvDtype"]): PlannedModel => ({ config, plain: false, cpu: device === "cpu", kvDtype, ragged: device !== "webgpu" });
