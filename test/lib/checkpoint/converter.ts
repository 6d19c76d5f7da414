// Run as a process by convert.test.ts: converts and reports. Arguments: model folder, dtype, cache folder.
import { openCheckpoint } from "../../../lib/checkpoint/open.js";

const [model, dtype, cacheFolder] = process.argv.slice(2) as [string, string, string];
let elements = 0;
const checkpoint = await openCheckpoint(model, { dtype, cacheFolder, onProgress: (done) => (elements = done) });
const [tensor] = checkpoint.tensors.values();
console.log(JSON.stringify({ elements, file: tensor!.file }));
