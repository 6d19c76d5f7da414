// What other folders use of checkpoint/.
export * from "./types.js";
export { openCheckpoint, openFolder, type OpenOptions } from "./open.js";
export { families, parseConfig, readConfig } from "./config.js";
export { requiredTensors, type RequiredTensor } from "./required.js";
export * from "./safetensors.js";
export { elementBytes, elementCount, isFloatDtype } from "./dtype.js";
export { decodeBfloat16, decodeFloat16, encodeBfloat16, encodeFloat16 } from "./half.js";
export type { ChatMessage, ChatTemplate } from "./chat-template.js";
export { loadTokenizer, type DecodeOptions, type EncodeOptions, type Tokenizer } from "./tokenizer.js";
export type { DecodeStream } from "./decode-stream.js";
export { checkPrompt } from "./validate.js";
export { cached, cacheFolder, clearCache, listCache, type CachedOptions, type CacheEntry } from "./cache.js";
export { formatBytes, requireFreeSpace } from "./free-space.js";
export { synthesize, type SyntheticOptions } from "./synthetic.js";
export { syntheticShapes } from "./synthetic-shapes.js";
export { packageRoot } from "./package-root.js";
export { convertCheckpoint, type ConvertOptions } from "./convert.js";
export { formatName, parseWeightFormat, weightDtypes, type WeightDtype, type WeightFormat } from "./weight-dtype.js";
