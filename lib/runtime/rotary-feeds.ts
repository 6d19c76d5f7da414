import { Tensor } from "onnxruntime-node";
import type { RotaryTables } from "../decoder/rotary.js";

/** Rotary rows as inputs of a graph. */
export function rotaryFeeds(rows: ReturnType<RotaryTables["rows"]>): Record<string, Tensor> {
  return Object.fromEntries([...rows].map(([name, { data, shape }]) => [name, new Tensor("float32", data, [...shape])]));
}
