// H2O, arXiv:2306.14048: tokens that got most attention from all others so far, and the latest, half of the budget each.
// Constants: equal halves, as in github.com/FMInference/H2O; heads that share a key choose together, by their mean.
import { cacheMethod } from "./cache/method.js";

export const h2o = cacheMethod("h2o", { scoring: { kind: "accumulated attention", recent: 0.5 } });
