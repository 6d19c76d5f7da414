import type { Command } from "commander";

/** A command: its name, what it is for (that of its `register`, so that a list of all needs none of their modules), its module. */
export type CommandEntry = readonly [name: string, description: string, load: () => Promise<{ register: (program: Command) => void }>];

/** All commands, in the order in which they are told. */
export const entries: readonly CommandEntry[] = [
  ["start", "the main job: Table 2 of the embedded model at 1K, 2K and 4K tokens, in about a minute", () => import("./commands/start.js")],
  ["generate", "continue a prompt, with or without token pruning", () => import("./commands/generate.js")],
  ["profile", "measure prefill, or prefill and decode, of configurations against the baseline; writes results files", () => import("./commands/profile.js")],
  ["report-table2", "Table 2 (latency, speedups, KV reduction) from results files", () => import("./commands/report-table2.js")],
  ["sweep", "measure a full cross product of models, configurations, lengths, scorers, …; can be stopped and gone on with", () => import("./commands/sweep.js")],
  ["jobs", "commands that were started with --detach: how far they are, stop, resume", () => import("./commands/jobs.js")],
  ["worker", "measure what sweeps and evaluations put into a queue, on this machine", () => import("./commands/worker.js")],
  ["queue", "what is done, running and failed in a queue, with the command that repeats a failed job alone", () => import("./commands/queue.js")],
  ["compare", "are two result sets different beyond noise? Every latency of A against that of B", () => import("./commands/compare.js")],
  ["kv", "what the KV cache holds after prefill: lengths, positions, drift, checked on the tensors", () => import("./commands/kv.js")],
  ["tokens", "which tokens of a prompt stayed, and at which stage the others fell", () => import("./commands/tokens.js")],
  ["evaluate", "what pruning costs: the same prompts for every configuration, with the unpruned model beside them", () => import("./commands/evaluate.js")],
  ["leaderboard", "methods x budgets x tasks from evaluation results, with curves of quality against time and bytes", () => import("./commands/leaderboard.js")],
  ["plan", "what a method does to a prompt, in integers, from a model's config.json alone: tokens in each block, caches, attention's pieces, bytes, FLOPs", () => import("./commands/plan.js")],
  ["flops", "floating-point operations of prefill and of prefill + decode, from a model's config.json alone", () => import("./commands/flops.js")],
  ["bench", "measure the engine itself, the kernel, or a server under load", () => import("./commands/bench.js")],
  ["quality", "what a model can do without pruning: bits per byte of held-out prose, pass keys found in it", () => import("./commands/quality.js")],
  ["dtypes", "perplexity, pass keys found, size and time of a model with its weights and caches held in several dtypes, on the same prompts", () => import("./commands/dtypes.js")],
  ["run", "run notebooks from the command line, with parameters", () => import("./commands/run.js")],
  ["test", "run notebooks and compare with the outputs that are stored in them", () => import("./commands/test.js")],
  ["check", "check the types of whole notebooks, as the kernel would, and run nothing", () => import("./commands/check.js")],
  ["diff", "what differs between two notebooks: cells, and outputs by value", () => import("./commands/diff.js")],
  ["mcp", "serve a folder's notebooks to agents and scripts, over the Model Context Protocol on standard input and output", () => import("./commands/mcp.js")],
  ["site", "one offline page over executed notebooks and results: parameters, headline figures, links, filters", () => import("./commands/site.js")],
  ["convert", "a notebook as text (.ts, .js, .md) and back, or both kept alike", () => import("./commands/convert.js")],
  ["export", "a notebook as a report (HTML, Markdown, PDF, LaTeX), as slides, or as a notebook to share", () => import("./commands/export.js")],
  ["export-model", "write a model for transformers.js (onnx), Hugging Face's libraries (safetensors) or llama.cpp (gguf)", () => import("./commands/export-model.js")],
  ["serve", "serve a model by the OpenAI API: completions, chat completions, models, health, metrics", () => import("./commands/serve.js")],
  ["lab", "open JupyterLab over a folder, without Python: every installed kernel, this package's own first", () => import("./commands/lab.js")],
  ["fetch", "bring a model from the hub into its usual cache, or a data set for evaluation (HF_ENDPOINT, HF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_HUB_OFFLINE count)", () => import("./commands/fetch.js")],
  ["kernel", "make the Jupyter kernel known to Jupyter and VS Code", () => import("./commands/kernel.js")],
  ["vscode", "install the extension by which VS Code shows no false errors in cells: names of earlier cells, what is preloaded, await", () => import("./commands/vscode.js")],
  ["doctor", "devices, drivers, kernel and installation: what is there, what was checked, what to do about each problem", () => import("./commands/doctor.js")],
  ["provider", "plugin providers of ONNX Runtime, such as OpenVINO: add, list, check against the CPU", () => import("./commands/provider.js")],
  ["train", "train pruning modules for a model, or the embedded model itself", () => import("./commands/train.js")],
  ["cache", "show or clear the cache folder (SDTP_CACHE sets another one)", () => import("./commands/cache.js")],
];
