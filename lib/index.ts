// What a notebook cell sees as `sdtp`: the public names, nothing else.
export { load, openCheckpoint } from "./cell/model.js";
export type { LoadOptions, Model, PrefillSettings } from "./runtime/model.js";
export type { Run, StageResult } from "./runtime/run.js";
export { loadRun } from "./cell/runs.js";
export { prompt } from "./cell/prompt.js";
export { decode, generate, type GenerateOptions, type GeneratedToken, type Generation } from "./runtime/generate.js";
export { chat, type ChatOptions, type ChatReply } from "./runtime/chat.js";
export type { SamplingOptions } from "./runtime/sampler.js";
export { exportModel, type Exported, type ExportOptions } from "./export-model/index.js";
export type { ChatMessage, Checkpoint, ModelConfig, Tokenizer } from "./checkpoint/index.js";

export { methods } from "./methods/all.js";
export type { KvPolicy, Method, Method as Preset, UserMethod, UserMethod as UserPreset } from "./methods/method.js";
export { schedule, stagePositions, tokensPerBlock, type Stage } from "./methods/plan/stages.js";
export { resolveMethod, resolveMethod as resolvePreset } from "./methods/resolve.js";
export { presets } from "./methods/sdtp.js";
export { defineScorer, type Scorer, type ScorerInput } from "./methods/scorer.js";

export { benchEngine, profile, sweep, type Showing } from "./cell/bench.js";
export { attach, detach, jobs, type AttachedJob, type JobProgress, type JobState, type JobStatus } from "./cell/jobs.js";
export type { Profile, ProfileOptions } from "./bench/profile.js";
export type { SweepAxes, SweepEnd, SweepOptions, SweepProgress, SweepRow } from "./bench/sweep/sweep.js";
export type { EngineOptions, EngineResult } from "./bench/engine/engine.js";
export type { BenchmarkMode, EndToEndMeasurement, Metadata, Results } from "./bench/record.js";
export { countedDecodeFlops, decodeFlops, endToEndFlops, prefillFlops, type Counting } from "./methods/plan/flops.js";
export { readResults, writeResults } from "./cell/results.js";
export type { Measured } from "./cell/measured.js";

export { compare, sweepTable, table2, verification, writeTable, type TableOptions } from "./cell/tables.js";
export type { Column, Source, Table, Table2Row } from "./report/index.js";
export * as chart from "./cell/chart.js";
export { stale, type StaleCell } from "./cell/notebook.js";
export { frame } from "./cell/frame.js";
export { formats, type Format } from "./report/formats/index.js";
export type { Figure } from "./report/index.js";

export { attention, diff, drift, kvLengths, kvMemory, kvSummary, norms, retention, scores, tokens, track, verify, viewPage, type Shown, type View } from "./report/views/index.js";

export { control, explore, LiveControl, type ControlOptions, type ControlSpec } from "./control/index.js";
export { longbench, perplexity, retrieval, ruler, type ComparingOptions, type Evaluation } from "./cell/evaluate.js";
export type { EvaluationRow } from "./evaluate/rows.js";
export { leaderboard, type ShownLeaderboard } from "./cell/leaderboard.js";
export { agreement, measureSaliency, saliencyMap, saliencySparsity, trainPruner, type MeasureSaliencyOptions } from "./cell/train.js";
export type { SaliencyFile } from "./train/saliency-file.js";

export { GraphBuilder } from "./onnx/builder.js";
export { gradients } from "./onnx/gradients.js";
export type { Value } from "./onnx/graph.js";
