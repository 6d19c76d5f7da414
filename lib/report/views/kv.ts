import { runLabel } from "../../inspect/label.js";
import { kvLengths as lengthsOf, type KvLengths } from "../../inspect/lengths.js";
import { kvMemory as memoryOf, type KvMemoryOptions, type KvMemoryRow } from "../../inspect/memory.js";
import { formatBytes } from "../../checkpoint/free-space.js";
import { stagePlace } from "../../methods/plan/stages.js";
import type { ModelConfig } from "../../checkpoint/types.js";
import type { KvDtype } from "../../checkpoint/kv-dtype.js";
import type { KvRow } from "../../runtime/kv-cache.js";
import type { Run } from "../../runtime/run.js";
import { lengthLabel } from "../label.js";
import { colour, figure, layers } from "./figure.js";
import { htmlTable } from "./html.js";
import { percent, textTable } from "./text.js";
import { shown, type Shown } from "./view.js";

/**
 * What each layer's cache holds now: length, positions, bytes, dtype, home.
 * @example
 * sdtp.kvSummary(run)
 */
export function kvSummary(run: Run): Shown<{ rows: readonly KvRow[]; bytes: number }> {
  const rows = run.kv.summary();
  const title = `KV cache: ${run.modelName}, ${runLabel(run)}, prompt of ${run.ids.length} tokens, ${run.model ? `device ${run.model.device}, ` : ""}${formatBytes(run.kv.bytes)}${run.auxPositions ? `; Aux Cache: ${run.auxPositions.map((positions, s) => `${positions.length} hidden states ${stagePlace(run.stages[s]!.afterLayer)}`).join(", ")}, ${formatBytes(run.auxBytes)}` : ""}`;
  const head = ["layer", "length", "of prompt", "positions", "bytes", "dtype", "home"];
  const cells = rows.map(({ layer, length, first, last, bytes, dtype, home }) => [layer, length, percent(length / run.ids.length), first === null ? "none" : `${first} … ${last}`, bytes, dtype, home]);
  return shown({ rows, bytes: run.kv.bytes }, { title, text: textTable(title, head, cells), html: () => htmlTable(title, head, cells) });
}

/**
 * KV lengths by layer of several runs, read off their caches.
 * @example
 * sdtp.kvLengths([await model.prefill(ids), await model.prefill(ids, { preset: "sdtp" })])
 */
export function kvLengths(runs: Run | readonly Run[]): Shown<KvLengths> {
  const data = lengthsOf(runs instanceof Array ? runs : [runs as Run]);
  const title = "KV length by layer";
  const lines = data.runs.map(({ label, lengths }, i) => ({
    type: "scatter" as const, mode: "lines+markers" as const, name: label, x: layers(data.layers), y: [...lengths], line: { color: colour(i), shape: "hv" as const },
  }));
  const cells = data.runs.map(({ label, promptLength, lengths, bytes }) => [label, promptLength, lengths.join(" "), formatBytes(bytes)]);
  return shown(data, {
    title,
    text: textTable(title, ["run", "prompt", "lengths", "bytes"], cells),
    figure: figure(title, lines, { xaxis: { title: { text: "layer" } }, yaxis: { title: { text: "tokens" }, rangemode: "tozero" } }, { showlegend: true }),
  });
}

/**
 * Bytes of the cache after prefill by prompt length and preset, as the schedule makes them. @param model a model, whose KV dtype is taken, or a config
 * @example
 * sdtp.kvMemory(model, { lengths: [1024, 16384], presets: ["baseline", "sdtp"] })
 */
export function kvMemory(model: { readonly config: ModelConfig; readonly kvDtype?: KvDtype } | ModelConfig, options: KvMemoryOptions = {}): Shown<{ rows: readonly KvMemoryRow[] }> {
  const [config, own] = "config" in model ? [model.config, model.kvDtype] : [model, undefined];
  const kvDtype = options.kvDtype ?? own ?? "fp32";
  const rows = memoryOf(config, { ...options, kvDtype });
  const title = `KV cache after prefill (${kvDtype}), from the schedule`;
  const names = [...new Set(rows.map(({ preset }) => preset))];
  const lines = names.map((name, i) => {
    const of = rows.filter(({ preset }) => preset === name);
    return { type: "scatter" as const, mode: "lines+markers" as const, name: of[0]!.reduction === 0 ? name : `${name}, ${of[0]!.kvPolicy}`, x: of.map(({ length }) => lengthLabel(length)), y: of.map(({ bytes }) => bytes / 1e6), line: { color: colour(i) } };
  });
  const cells = rows.map(({ length, preset, kvPolicy, bytes, reduction }) => [lengthLabel(length), preset, reduction === 0 ? "-" : kvPolicy, formatBytes(bytes), percent(reduction)]);
  return shown({ rows }, {
    title,
    text: textTable(title, ["length", "preset", "caches", "bytes", "saved"], cells),
    figure: figure(title, lines, { xaxis: { title: { text: "prompt length (tokens)" }, type: "category" }, yaxis: { title: { text: "MB" }, rangemode: "tozero" } }),
  });
}
