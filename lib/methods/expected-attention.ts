// ExpectedAttention, github.com/NVIDIA/kvpress (expected_attention_press.py, 0.5.5): attention that queries to come are expected to pay.
// Constants: 512 positions to come, 4 first tokens left out of the statistics and kept, covariance and norms of values taken in.
import { cacheMethod } from "./cache/method.js";

export const expectedAttention = cacheMethod("expected", { scoring: { kind: "expected attention", future: 512, sinks: 4 } });
