import { adakv, adakvExpected } from "./adakv.js";
import { blockPruning } from "./block-pruning.js";
import { cake } from "./cake.js";
import { dash } from "./dash.js";
import { h2oDecoding, streamingDecoding, tovaDecoding } from "./decoding.js";
import { expectedAttention } from "./expected-attention.js";
import { fastkv } from "./fastkv.js";
import { gemfilter } from "./gemfilter.js";
import { h2o } from "./h2o.js";
import { keydiff } from "./keydiff.js";
import { knorm } from "./knorm.js";
import { kvzip } from "./kvzip.js";
import { lagkv } from "./lagkv.js";
import { lazyllm } from "./lazyllm.js";
import type { Method } from "./method.js";
import { promptdistill } from "./promptdistill.js";
import { pyramidinfer } from "./pyramidinfer.js";
import { pyramidkv } from "./pyramidkv.js";
import { randomCache } from "./random-cache.js";
import { presets } from "./sdtp.js";
import { rkv } from "./rkv.js";
import { snapkv } from "./snapkv.js";
import { specprefill } from "./specprefill.js";
import { streamingllm } from "./streamingllm.js";
import { tova } from "./tova.js";

/** Every method that has a name, in the order of tables. A new one is its file and a line here. */
export const methods: Readonly<Record<string, Method>> = Object.freeze({
  ...presets,
  ...Object.fromEntries([gemfilter, fastkv, promptdistill, pyramidinfer, dash, blockPruning, lazyllm, specprefill, snapkv, pyramidkv, h2o, tova, streamingllm, expectedAttention, knorm, keydiff, lagkv, adakv, adakvExpected, cake, kvzip, h2oDecoding, tovaDecoding, streamingDecoding, rkv, randomCache].map((method) => [method.name, method])),
});

export const methodNames: readonly string[] = Object.keys(methods);
