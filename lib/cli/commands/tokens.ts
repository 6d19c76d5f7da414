import type { Command } from "commander";
import { addDtypeOption, addKvDtypeOption, addModelOptions, addPruningOptions, positiveInteger, presetNames } from "../options.js";
import { prefilled, type PromptOptions } from "./kv.js";

interface Options extends PromptOptions {
  json?: boolean;
  html?: string;
}

/** `sdtp tokens`: the prompt with its tokens coloured by the stage at which they fell. */
export function register(program: Command): void {
  const command = program
    .command("tokens")
    .description("which tokens of a prompt stayed, and at which stage the others fell")
    .option("--config <preset>", `what is pruned: ${presetNames}`, "sdtp")
    .option("--prompt-file <file>", "the prompt (UTF-8; default: the shipped prose)")
    .option("--length <n>", "tokens of it (default: the whole file; 1024 of the shipped prose)", positiveInteger)
    .option("--json", "print JSON: each token's position, text, stage, score")
    .option("--html <file>", "write a page");
  addPruningOptions(addKvDtypeOption(addDtypeOption(addModelOptions(command))))
    .addHelpText("after", "\nOn a terminal fallen tokens are coloured; in a pipe they stand in brackets with their stage: [3:text].")
    .action((options: Options) => tokens(options));
}

async function tokens(options: Options): Promise<void> {
  const run = await prefilled(options);
  const views = await import("../../report/views/index.js");
  const view = await views.tokens(run);
  if (options.html !== undefined) {
    const { writeOutput } = await import("../../files.js");
    await writeOutput(options.html, views.viewPage(view.title, [view]));
    process.stderr.write(`${options.html} shows the tokens\n`);
  }
  if (options.json) {
    const rows = view.texts.map((text, position) => ({
      position, id: run.ids[position], text, stage: view.stage[position]! < 0 ? null : view.stage[position]!, score: view.score ? view.score[position]! : null, forced: view.forced[position] === 1,
    }));
    console.log(JSON.stringify({ model: run.modelName, device: run.model!.device, config: run.preset.name, scorer: run.scorer, after_layers: view.afterLayers, tokens: rows }, null, 2));
    return;
  }
  if (options.html !== undefined) return;
  console.log(process.stdout.isTTY ? views.tokenText(view, view.title, (text, stage) => coloured(text, stage, view.afterLayers.length)) : view.text);
}

/** Background colours of the 256 that terminals have, from violet (fell first) to yellow. */
function coloured(text: string, stage: number, stages: number): string {
  const ramp = [54, 61, 24, 29, 64, 100, 136];
  const code = ramp[stages <= 1 ? ramp.length - 1 : Math.round((stage * (ramp.length - 1)) / (stages - 1))]!;
  // A background that runs over a line end would colour the rest of the terminal's line.
  return text.split("\n").map((line) => (line === "" ? "" : `\x1b[48;5;${code};97m${line}\x1b[0m`)).join("\n");
}
