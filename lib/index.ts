// What a notebook cell sees as `sdtp`: the public names, nothing else.
export { load, Model, type LoadOptions, type PrefillSettings } from "./runtime/model.js";
export { Run, type StageResult } from "./runtime/run.js";
export { decode, generate, type GenerateOptions, type GeneratedToken, type Generation } from "./runtime/generate.js";
export { chat, type ChatOptions, type ChatReply } from "./runtime/chat.js";
export type { SamplingOptions } from "./runtime/sampler.js";
export { openCheckpoint, type ChatMessage, type Checkpoint, type ModelConfig, type Tokenizer } from "./checkpoint/index.js";
export { presets, resolvePreset, schedule, stagePositions, tokensPerBlock, type KvPolicy, type Preset, type Stage, type UserPreset } from "./pruning/schedule.js";
export { defineScorer, type Scorer, type ScorerInput } from "./pruning/scorer.js";
export { GraphBuilder } from "./onnx/builder.js";
export { gradients } from "./onnx/gradients.js";
export type { Value } from "./onnx/graph.js";
