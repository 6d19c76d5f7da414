import { resolve } from "node:path";
import { requireWritable } from "../bench/output.js";
import { type Cell, cellsOf } from "../bench/sweep/cells.js";
import { cellCommand, failedCell, methodText } from "../bench/sweep/command.js";
import { Teller } from "../bench/sweep/progress.js";
import { rowsOf } from "../bench/sweep/row.js";
import { hasFailed, type StoredCell, SweepStore } from "../bench/sweep/store.js";
import { checkedOptions, type SweepEnd, type SweepOptions, type SweepRow } from "../bench/sweep/sweep.js";
import { connect, withoutSecrets } from "./connection.js";
import { type Ended, type Filing, Following } from "./follow.js";
import type { TimedJob } from "./jobs.js";
import { pathIn } from "./models.js";
import { putPrompt } from "./prompts.js";
import { defaultQueueName, queuedDevice, requireQueueName } from "./queues.js";
import { storedCell } from "./stored.js";
import { scorerFile } from "./timed.js";

export interface QueueSweepOptions extends Omit<SweepOptions, "placements"> {
  /** URL of the queue's server. */
  readonly queue: string;
  /** Queues of other names on the same server have nothing to do with each other. Default `sdtp`. */
  readonly queueName?: string | undefined;
  /** Told what is worth knowing beside the rows: the server is away, no worker is there. */
  readonly onMessage?: (message: string) => void;
}

/**
 * The same as `sweep`, measured by the workers of a queue: files what neither the folder nor the queue has, follows it, and keeps
 * every cell in the folder as it comes. Rows come in the order of the cells.
 * @throws before anything is filed on bad input; AbortError on `signal`, and the jobs stay in the queue
 */
export async function* queueSweep(options: QueueSweepOptions): AsyncGenerator<SweepRow, SweepEnd, undefined> {
  const { queue: url, queueName = defaultQueueName, onMessage } = options;
  const { folder, maxMinutes, timeoutSeconds, retryFailed, onProgress, onFailed, signal } = checkedOptions(options);
  const prefix = requireQueueName(queueName);
  const tell = new Teller(onProgress);
  const store = new SweepStore(folder);
  await requireWritable(store.file(""));
  const connection = await connect(url, { signal, ...(onMessage && { onState: onMessage }) });
  const halt = new AbortController();
  const stop = signal ? AbortSignal.any([signal, halt.signal]) : halt.signal;
  let following: Following | undefined;
  let [work, timer]: [Promise<void>, NodeJS.Timeout | undefined] = [Promise.resolve(), undefined];
  try {
    const cells = await cellsOf({ ...options, elsewhere: true, signal, onProgress: (share, label) => tell.say(share, label) });
    const results = new Map<Cell, StoredCell>();
    for (const cell of cells) {
      const stored = (await store.read(cell)) ?? (await store.read({ key: cell.anywhereKey }));
      if (stored && !(retryFailed && hasFailed(stored))) results.set(cell, stored);
    }
    const found = results.size;
    tell.begin(cells, [...results.values()]);
    const byId = new Map(cells.filter((cell) => !results.has(cell)).map((cell) => [cell.anywhereKey, cell]));
    let wake = () => {};
    let failure: { readonly error: unknown } | undefined;
    const withdrawn = new Set<Cell>();
    following = new Following(connection, prefix, {
      retryFailed, prepare: async () => {
        for (const [hash, cell] of longest(cells)) await putPrompt(connection.redis, prefix, cell.group.ids, hash);
      },
      ...(onMessage && { onMessage }), workerCommand: `sdtp worker --queue ${withoutSecrets(url)}${prefix === defaultQueueName ? "" : ` --queue-name ${prefix}`}`,
      onStart: (id) => tell.start(byId.get(id)!),
      onBack: (id) => tell.dropped(byId.get(id)!),
      onProgress: (id, { machine, placement, share, label }) => tell.reach(byId.get(id)!, share * byId.get(id)!.cost, `${machine} ${placement}: ${label}`),
      onEnd: async (ended) => {
        const cell = byId.get(ended.id)!;
        const stored = storedOf(cell, ended);
        // Under the key that the embedded sweep gives it, where this machine would have measured the same; else under that of the job.
        await store.write({ key: stored.rows[0]?.cell === cell.key ? cell.key : cell.anywhereKey }, stored);
        results.set(cell, stored);
        tell.done(cell, stored);
        wake();
      },
    });
    await following.file([...byId.values()].map((cell): Filing => ({ id: cell.anywhereKey, kind: "timed", device: cell.group.subject.device, data: jobOf(cell, options, folder, timeoutSeconds) })), signal);
    work = following.follow(stop).catch((error: unknown) => void (failure = { error })).finally(() => wake());
    if (maxMinutes < Infinity) timer = setTimeout(() => void following!.withdraw().then((ids) => ids.forEach((id) => withdrawn.add(byId.get(id)!))).finally(() => wake()), Math.min(maxMinutes * 60e3, 2 ** 31 - 1));
    for (const cell of cells) {
      while (!results.has(cell) && !withdrawn.has(cell)) {
        if (failure) throw failure.error;
        await new Promise<void>((resolve) => (wake = resolve));
      }
      const stored = results.get(cell);
      if (stored && hasFailed(stored)) onFailed?.(failedCell(cell, stored, { promptFile: options.promptFile, folder }));
      yield* stored?.rows ?? [];
    }
    if (failure) throw failure.error;
    return { cells: cells.length, measured: results.size - found, found, left: withdrawn.size };
  } finally {
    clearTimeout(timer);
    halt.abort(new DOMException("not followed any more", "AbortError"));
    await work;
    await following?.close();
    await connection.close();
  }
}

/** The cell with the whole of each prompt, by its hash: cells of other lengths have its beginning. */
function longest(cells: readonly Cell[]): Map<string, Cell> {
  const found = new Map<string, Cell>();
  for (const cell of cells) {
    const { hash } = promptOf(cell);
    if (cell.group.ids.length >= (found.get(hash)?.group.ids.length ?? 0)) found.set(hash, cell);
  }
  return found;
}

function promptOf({ facts: { prompt } }: Cell): { readonly hash: string; readonly source: string } {
  return { hash: prompt.hash, source: prompt.source };
}

function jobOf(cell: Cell, { promptFile }: QueueSweepOptions, folder: string, timeoutSeconds: number | undefined): TimedJob {
  const { subject, presets, scorer, kvPolicy, ids, memory, mode, repeats, warmup, maxNewTokens } = cell.group;
  const file = scorerFile(scorer);
  return {
    model: subject.checkpoint.name, modelPath: pathIn(subject.checkpoint.name), dtype: cell.dtype ?? null, kvDtype: subject.kvDtype, device: queuedDevice(subject.device), threads: cell.threads ?? null, seed: subject.seed,
    presets: presets.map((preset) => methodText(preset) ?? preset), asked: cell.asked.map(({ name }) => name),
    scorer: scorer ?? null, scorerPath: file === null ? null : resolve(file), kvPolicy: kvPolicy ?? null, prompt: { ...promptOf(cell), length: ids.length },
    memory, mode, repeats, warmup, maxNewTokens, cost: cell.cost, identity: cell.anywhere,
    label: cell.label, command: cellCommand(cell, { promptFile, folder }), timeoutSeconds: timeoutSeconds ?? null, refusals: [], rounds: 0,
  };
}

/** A cell as its job ended: measured, or with rows that say why not. */
function storedOf(cell: Cell, ended: Ended): StoredCell {
  const measured = storedCell("error" in ended ? ended.outcome : ended.result, cell.asked.length);
  // Rows of the last machine that tried say what happened on all.
  if (measured && "error" in ended && ended.machines > 1) return { ...measured, rows: measured.rows.map((row) => (row.error === null ? row : { ...row, error: ended.error })) };
  if (measured) return measured;
  const error = "error" in ended ? ended.error : "result: is not whole (measure it again: --retry-failed)";
  return { schema_version: 1, label: cell.label, seconds: 0, cost: cell.cost, rows: rowsOf(cell, cell.group.presets.map(() => ({ error })), null) };
}
