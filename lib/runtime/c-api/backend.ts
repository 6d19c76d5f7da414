import type { Library } from "./library.js";

/** Who calls ONNX Runtime: its C API through koffi, or the binding of onnxruntime-node. */
export type BackendName = "c-api" | "node";

export type Backend =
  | { readonly name: "c-api"; readonly library: Library; readonly why: string }
  | { readonly name: "node"; readonly library: null; readonly why: string };

/** The environment's variable that chooses: `c-api`, `node`, or `auto` (default): the C API where it was tried and proves itself. */
export const BACKEND_VARIABLE = "SDTP_BACKEND";

/** Where the stress of `npm run test:stress` was run; elsewhere the C API is used when asked for. */
const TRIED_ON = ["linux x64"];

let chosen: Promise<Backend> | null = null;
let settled: BackendName | null = null;

/** What graphs on the CPU are run by in this thread, found once. @throws where the variable names none, or the C API and that does not prove itself */
export function backend(): Promise<Backend> {
  return (chosen ??= choose(process.env[BACKEND_VARIABLE] || "auto").then((found) => {
    settled = found.name;
    return found;
  }));
}

/** Whether graphs on the CPU hold one copy of their weights (see `SharedWeights`). False as long as `backend` has not answered. */
export function sharesWeights(): boolean {
  return runsInPlace() && process.platform !== "win32";
}

/** Whether graphs on the CPU can write into arrays of this process. False as long as `backend` has not answered. */
export function runsInPlace(): boolean {
  return settled === "c-api";
}

/** As `backend`, of a given choice. */
export async function choose(asked: string, platform = `${process.platform} ${process.arch}`): Promise<Backend> {
  if (asked === "node") return { name: "node", library: null, why: `asked for by ${BACKEND_VARIABLE}` };
  if (asked !== "c-api" && asked !== "auto") throw new Error(`${BACKEND_VARIABLE}: ${asked} (must be auto, c-api or node)`);
  if (asked === "auto" && !TRIED_ON.includes(platform)) return { name: "node", library: null, why: `the C API was not tried on ${platform} (${BACKEND_VARIABLE}=c-api takes it all the same)` };
  try {
    const [{ openLibrary }, { selfCheck }] = await Promise.all([import("./library.js"), import("./self-check.js")]);
    const library = await openLibrary();
    await selfCheck(library);
    return { name: "c-api", library, why: "computes what it must" };
  } catch (error) {
    const reason = (error as Error).message.split("\n")[0]!;
    if (asked === "c-api") throw new Error(`${BACKEND_VARIABLE}: c-api (${reason})`, { cause: error });
    return { name: "node", library: null, why: `the C API does not work here: ${reason}` };
  }
}
