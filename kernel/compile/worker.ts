/**
 * The compiler's thread. TypeScript blocks its thread for up to seconds; in a thread of its own it
 * does not keep the kernel from answering heartbeats, interrupts and kernel_info meanwhile.
 */
import { parentPort, workerData } from "node:worker_threads";
import { answer, createMethods, type Call, type ServiceData } from "./service.js";
import { keepCode } from "./typescript.js";

const methods = createMethods(workerData as ServiceData, () => {
  void keepCode();
  parentPort?.postMessage("idle");
});
parentPort?.on("message", (call: Call) => parentPort?.postMessage(answer(methods, call)));
