import { environment } from "../bench/environment.js";
import { digest } from "../bench/sweep/identity.js";
import type { Tokenizer } from "../checkpoint/tokenizer.js";
import { perplexityTask } from "../evaluate/perplexity.js";
import { retrievalTask } from "../evaluate/retrieval.js";
import type { EvaluationTask } from "../evaluate/task.js";
import type { QualityJob } from "./jobs.js";

/** The whole task that a job has a slice of. */
export function taskOf(tokenizer: Tokenizer, task: QualityJob["task"], text: string): EvaluationTask {
  return task.name === "perplexity" ? perplexityTask(tokenizer, { ...task, text }) : retrievalTask(tokenizer, { ...task, text });
}

/** A job is the rows that it gives, by what decides them, and the versions that measure them. */
export function qualityId(keys: readonly string[]): string {
  return digest({ rows: keys, versions: environment().versions });
}
