// Writes signatures.ts from ONNX Runtime's own header: `node lib/runtime/c-api/signatures.mjs onnxruntime_c_api.h`.
// The table of functions is append-only by ONNX Runtime's rule, so that a place in it holds for every later library too.
import { readFileSync, writeFileSync } from "node:fs";

/** What is used here; a function more is a name more. */
const used = `
  GetErrorMessage ReleaseStatus
  CreateEnv CreateSessionOptions ReleaseSessionOptions SetIntraOpNumThreads SetSessionGraphOptimizationLevel DisableMemPattern
  SetSessionLogSeverityLevel AddSessionConfigEntry AddInitializer
  CreateSessionFromArray CreatePrepackedWeightsContainer CreateSessionFromArrayWithPrepackedWeightsContainer ReleasePrepackedWeightsContainer ReleaseSession
  SessionGetInputCount SessionGetInputName SessionGetOutputCount SessionGetOutputName GetAllocatorWithDefaultOptions AllocatorFree
  CreateCpuMemoryInfo CreateTensorWithDataAsOrtValue GetTensorMutableData GetTensorTypeAndShape GetTensorElementType GetDimensionsCount GetDimensions
  ReleaseTensorTypeAndShapeInfo ReleaseValue
  CreateRunOptions RunOptionsSetTerminate ReleaseRunOptions Run
  RegisterExecutionProviderLibrary GetEpDevices EpDevice_EpName EpDevice_EpVendor EpDevice_EpMetadata EpDevice_Device HardwareDevice_Type GetKeyValue
  SessionOptionsAppendExecutionProvider_V2
  Session_GetEpGraphAssignmentInfo EpAssignedSubgraph_GetEpName EpAssignedSubgraph_GetNodes EpAssignedNode_GetOperatorType
`.trim().split(/\s+/);

const source = readFileSync(process.argv[2], "utf8");
const version = Number(/#define ORT_API_VERSION (\d+)/.exec(source)[1]);
const header = source.replace(/\/\*[^]*?\*\//g, "").replace(/\/\/[^\n]*/g, "");
const enums = new Set([...header.matchAll(/typedef enum (\w+)/g)].map(([, name]) => name));
const scalars = { int: "int", size_t: "size_t", int64_t: "int64_t", uint32_t: "uint32_t", OrtStatusPtr: "void *", void: "void" };

/** A type of C as koffi takes it: pointers are numbers, whatever they point to, but for a single text. */
function typeOf(text, name) {
  const outward = /_Out|_Inout_updates/.test(text);
  const type = text.replace(/\b_\w+_(\([^)]*\))?/g, "").replace(/\bORT_API_CALL\b/, "").replace(/\s+/g, " ").trim();
  // Texts of a width of their own on Windows: given as their bytes.
  if (/ORTCHAR_T/.test(type)) return "void *";
  if (!outward && /^const char ?\*( \w+)?$/.test(type)) return "const char *";
  if (/[*[]/.test(type)) return "void *";
  const word = type.replace(/^(const|enum) /, "").split(" ")[0];
  if (enums.has(word)) return "int";
  if (!(word in scalars)) throw new Error(`${name}: a parameter "${text.trim()}"`);
  return scalars[word];
}

/** Commas outside of brackets part parameters. */
function parts(text) {
  const found = [""];
  let depth = 0;
  for (const c of text) {
    depth += c === "(" ? 1 : c === ")" ? -1 : 0;
    if (c === "," && depth === 0) found.push("");
    else found[found.length - 1] += c;
  }
  return found.map((each) => each.trim()).filter((each) => each !== "" && each !== "void");
}

const from = header.indexOf("{", header.indexOf("struct OrtApi {"));
const members = header.slice(from + 1, header.indexOf("\n};", from)).replace(/^#[^\n]*/gm, "").split(";").map((text) => text.replace(/\s+/g, " ").trim()).filter(Boolean).map((text) => {
  let found = /ORT_CLASS_RELEASE\( ?(\w+) ?\)/.exec(text);
  if (found) return { name: `Release${found[1]}`, result: "void", parameters: [`Ort${found[1]} * input`] };
  found = /ORT_API2_STATUS\( ?(\w+) ?,?(.*)\)/.exec(text);
  if (found) return { name: found[1], result: "OrtStatusPtr", parameters: parts(found[2]) };
  found = /ORT_API_T\( ?([^,]+), ?(\w+) ?,?(.*)\)/.exec(text);
  if (found) return { name: found[2], result: found[1], parameters: parts(found[3]) };
  found = /^(.*?)\( ?ORT_API_CALL ?\* ?(\w+) ?\) ?\((.*?)\) ?(NO_EXCEPTION.*)?$/.exec(text);
  if (found) return { name: found[2], result: found[1], parameters: parts(found[3]) };
  throw new Error(`a member that is not understood: ${text.slice(0, 200)}`);
});

const lines = used.map((name) => {
  const index = members.findIndex((member) => member.name === name);
  if (index < 0) throw new Error(`${name}: not in this header`);
  const { result, parameters } = members[index];
  const types = parameters.map((text) => typeOf(text, name));
  return `  ${name}: { index: ${index}, result: ${JSON.stringify(typeOf(result, name))}, parameters: ${JSON.stringify(types).replace(/,/g, ", ")} },`;
});

writeFileSync(new URL("signatures.ts", import.meta.url), `// Written by signatures.mjs from onnxruntime_c_api.h of API version ${version} (${members.length} functions); not by hand.

/** The version of the C API that the table is of: asked of the library by this number. */
export const API_VERSION = ${version};

/** How many functions the table of that version has. */
export const API_LENGTH = ${members.length};

/** Place in the table, result and parameters of each function used here, as koffi writes types. */
export const signatures = {
${lines.join("\n")}
} as const;
`);
