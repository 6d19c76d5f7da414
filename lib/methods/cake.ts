// CAKE, arXiv:2503.12491: layers share the budget by how widely their last tokens look and how much that shifts; tokens are chosen by mean and variance of that attention.
// Constants: github.com/antgroup/cakekv (window 32, mean over 5 neighbours, gamma 200; both temperatures 1, its command line's own: the paper tunes them by model and budget).
// Its cascade, which cuts layers down while later ones are computed, ends with the same tokens and saves memory only meanwhile: here the cut is made once, at the end.
import { cacheMethod } from "./cache/method.js";

export const cake = cacheMethod("cake", {
  scoring: { kind: "window attention", window: 32, kernel: 5, pool: "mean", heads: "group mean", shift: 200 },
  layers: { preference: { dispersion: 1, shift: 1 } },
});
