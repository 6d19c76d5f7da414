/** Notebook files: reading, writing, parameters, headless runs. */
export * from "./types.js";
export { parseNotebook, readNotebook } from "./read.js";
export { stringifyNotebook, writeNotebook } from "./write.js";
export { declaredParameters, injectParameters, listParameters } from "./parameters/inject.js";
export { UsageError, type Parameter, type Values } from "./parameters/parameter.js";
export { parseValue, readMatrix, readValues } from "./parameters/values.js";
export { defaultOutput, exitCode, runNotebook, type RunOptions, type RunResult } from "./run/run.js";
export { isComplete, plannedRuns, type MatrixOptions, type PlannedRun } from "./run/matrix.js";
export { runNotebooks, type ManyOptions } from "./run/many.js";
export { plainText } from "./plain-text.js";
export type { Progress } from "./run/execute.js";
