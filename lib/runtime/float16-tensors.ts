/**
 * Where Node has a Float16Array (from 24 on), onnxruntime-common takes one for the bytes of 16-bit tensors, and the native
 * part of ONNX Runtime 1.30 knows none: "not enough space: expected 10752, got 0". It decides so at the first tensor of the
 * process. That one is made here, where it sees no Float16Array: 16-bit tensors are a Uint16Array's on every Node.
 */
import { Tensor } from "onnxruntime-node";

const float16 = Object.getOwnPropertyDescriptor(globalThis, "Float16Array");
if (float16) {
  Reflect.deleteProperty(globalThis, "Float16Array");
  try {
    new Tensor("float32", new Float32Array(1), [1]);
  } finally {
    Object.defineProperty(globalThis, "Float16Array", float16);
  }
}
