import type { JobState } from "../jobs/state.js";
import { shellCommand } from "../shell-command.js";
import { duration } from "./duration.js";

/** `45 %, about 3:10 left: 3 of 12 cells done: …`, what was known last. */
export function jobProgress({ status, progress }: Pick<JobState, "status" | "progress">): string {
  if (!progress) return "";
  const left = status === "running" && progress.secondsLeft !== null ? `, about ${duration(progress.secondsLeft)} left` : "";
  return `${Math.floor(100 * progress.share)} %${left}: ${progress.label}`;
}

export function jobCommand({ args }: Pick<JobState, "args">): string {
  return shellCommand(["sdtp", ...args]);
}

/** One job in lines: id, state and progress; why it is not done, and how it goes on; its command; its results. */
export function jobText(job: JobState): string {
  const { id, status, reason, folder, created } = job;
  const lines = [`${id}  ${status.padEnd(9)} ${jobProgress(job)}`.trimEnd()];
  if (reason !== null) lines.push(`        ${reason}`);
  if (status === "stopped" || status === "died") lines.push(`        to go on: sdtp jobs resume ${id}`);
  lines.push(`        ${jobCommand(job)}`, `        ${folder}, since ${created.slice(0, 16).replace("T", " ")} UTC`);
  return lines.join("\n");
}
