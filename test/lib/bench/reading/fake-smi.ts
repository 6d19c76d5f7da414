import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { TestContext } from "node:test";

/** What a pretended `nvidia-smi` does. Its lines are in the formats of the real one. */
export interface FakeSmi {
  /** Answers to a single `--query-gpu`. */
  readonly gpus?: readonly string[];
  /** What it ends with instead, having said so. */
  readonly fails?: { readonly code: number; readonly says: string };
  /** Fields that its driver does not know. */
  readonly unknown?: readonly string[];
  /** Lines of `-lms` without their time, one after the other, the last one again and again. */
  readonly samples?: readonly string[];
  /** The same of `--query-compute-apps`; `PID` stands for the process that started it. */
  readonly apps?: readonly string[];
  /** Says nothing and does not end. */
  readonly hangs?: "all" | "samples";
}

/** An environment in which `nvidia-smi` is a script that pretends; null: in which there is none. */
export function fakeSmi(t: TestContext, fake: FakeSmi | null): NodeJS.ProcessEnv {
  const folder = mkdtempSync(join(tmpdir(), "sdtp-smi-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const { CUDA_VISIBLE_DEVICES: _, CUDA_DEVICE_ORDER: __, ...rest } = process.env;
  if (fake === null) return { ...rest, PATH: folder };
  const file = join(folder, "nvidia-smi");
  writeFileSync(file, `#!${process.execPath}\n(${pretend.toString()})(${JSON.stringify(fake)});\n`);
  chmodSync(file, 0o755);
  return { ...rest, PATH: `${folder}${delimiter}${process.env["PATH"] ?? ""}`, FAKE_SMI: folder };
}

/** Waits until so many lines of samples, and of processes too, were written. */
export async function written(env: NodeJS.ProcessEnv, lines: number, apps: boolean): Promise<void> {
  const count = (kind: string) => {
    try {
      return readFileSync(join(env["FAKE_SMI"]!, kind), "utf8").length;
    } catch {
      return 0;
    }
  };
  while (lines > 0 && (count("gpu") < lines || (apps && count("compute-apps") < lines))) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Becomes the script: nothing from outside of it. */
async function pretend(fake: FakeSmi): Promise<void> {
  const { appendFileSync } = await import("node:fs");
  const args = process.argv.slice(2);
  const often = args.includes("-lms");
  const hang = () => void setInterval(() => {}, 1e6);
  if (fake.hangs === "all" || (fake.hangs === "samples" && often)) return hang();
  if (fake.fails) {
    console.log(fake.fails.says);
    process.exit(fake.fails.code);
  }
  const asked = args.find((arg) => arg.startsWith("--query-"))!;
  const fields = asked.slice(asked.indexOf("=") + 1).split(",");
  const odd = fields.find((field) => fake.unknown?.includes(field));
  if (odd) {
    console.log(`Field "${odd}" is not a valid field to query.\n`);
    process.exit(2);
  }
  if (!often) {
    for (const line of fake.gpus ?? []) console.log(line.split(", ").slice(0, fields.length).join(", "));
    return;
  }
  const lines = (asked.startsWith("--query-compute-apps") ? fake.apps : fake.samples) ?? [];
  const two = (value: number) => String(value).padStart(2, "0");
  let next = 0;
  const write = () => {
    const line = lines[Math.min(next++, lines.length - 1)];
    if (line === undefined) return;
    const now = new Date();
    const time = `${now.getFullYear()}/${two(now.getMonth() + 1)}/${two(now.getDate())} ${two(now.getHours())}:${two(now.getMinutes())}:${two(now.getSeconds())}.${String(now.getMilliseconds()).padStart(3, "0")}`;
    console.log(`${time}, ${line.replace("PID", String(process.ppid))}`);
    appendFileSync(`${process.env["FAKE_SMI"]}/${asked.slice(8, asked.indexOf("="))}`, ".");
  };
  process.stdout.on("error", () => process.exit(1));
  write();
  setInterval(write, Number(args[args.indexOf("-lms") + 1]));
}
