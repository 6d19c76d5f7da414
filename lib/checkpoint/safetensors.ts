// The safetensors format: header, reader, writer.
export { readSafetensorsHeader, type SafetensorsHeader } from "./safetensors-header.js";
export { readByteRange, readBytes, readFloatChunks, readFloats, readStored, readTensor } from "./safetensors-read.js";
export { tensorBytes, writeSafetensors, type TensorSource, type TensorToWrite } from "./safetensors-write.js";
export type { TensorData } from "./dtype.js";
