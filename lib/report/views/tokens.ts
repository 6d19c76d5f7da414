import { runLabel } from "../../inspect/label.js";
import { stagePlace } from "../../methods/plan/stages.js";
import type { TokenFates } from "../../inspect/fate.js";
import type { Run } from "../../runtime/run.js";
import type { LookedAt } from "./looked-at.js";
import { harmless, short } from "./text.js";
import { tokenHtml, type TokenKind } from "./token-html.js";
import { shown, type Shown } from "./view.js";

export interface TokenView extends TokenFates {
  /** Text of each token; its id where the model has no tokenizer. */
  readonly texts: readonly string[];
  /** Blocks that the stages stand after. */
  readonly afterLayers: readonly number[];
}

/**
 * The prompt's tokens, coloured by the stage at which they fell (hover: position, score, stage). Tokens that had to stay are
 * underlined.
 * @param trace when pointed at, a token tells all of itself below the text: score and rank at every stage that it came to, its row in
 *   each layer's cache, and by head where heads hold other tokens each; by styles alone, so in exported pages too. Default false: it
 *   takes 200 to 500 bytes a token. `{ generate: 8 }`: beside that, how much the next tokens look at it and with which heads, and how much
 *   they hang on it (saliency)
 * @example
 * const run = await model.prefill(ids, { preset: "sdtp", scores: true });
 * await sdtp.tokens(run)
 */
export async function tokens(run: Run, { trace = false }: { trace?: boolean | LookedAt } = {}): Promise<Shown<TokenView>> {
  const { tokenFates } = await import("../../inspect/fate.js");
  const fates = tokenFates(run);
  const texts = (await run.texts()) ?? run.ids.map((id) => `${id} `);
  const afterLayers = run.stages.map(({ afterLayer }) => afterLayer);
  const data = { ...fates, texts, afterLayers };
  const lines = trace ? await traceLines(run, trace === true ? undefined : trace) : undefined;
  const title = `Tokens: ${runLabel(run)}, ${run.kept.length} of ${run.ids.length} kept`;
  return shown(data, { title, text: tokenText(data, title), html: () => html(data, title, lines) });
}

/** Letters that a line of a trace has room for, in a window of usual width. */
const WIDTH = 110;

/** What each token tells of itself. */
async function traceLines(run: Run, more: LookedAt | undefined): Promise<string[][]> {
  const { traceText, traceTokens } = await import("../../inspect/trace.js");
  const computed = more && (await (await import("./looked-at.js")).lookedAtLines(run, more));
  return traceTokens(run).map((each, position) => [...(computed?.[position] ?? []), ...traceText(each, short)]);
}

function html({ stage, score, forced, texts, afterLayers }: TokenView, title: string, lines: readonly string[][] | undefined): string {
  const kinds: TokenKind[] = [
    { style: "", label: "kept" },
    { style: "text-decoration:underline dotted #888", label: "always kept", tag: "u" as const },
    ...afterLayers.map((layer, s) => ({ style: `background:hsl(${stageHue(s, afterLayers.length)} 80% 50%/.38)`, label: `stage ${s}, ${stagePlace(layer)}`, tag: "del" as const })),
  ];
  const kind = Uint16Array.from(stage, (s, i) => (s < 0 ? forced[i]! : s + 2));
  const line = (i: number) => `${i}${score ? ` · ${short(score[i]!)}` : ""} · ${stage[i]! < 0 ? (forced[i] ? "always kept" : "kept") : `stage ${stage[i]}`}`;
  if (!lines) return tokenHtml({ title, scope: `fate${afterLayers.length}`, texts, kinds, kind, hover: line });
  const hover = (i: number) => [`${line(i)} · ${JSON.stringify(harmless(texts[i]!))}`, ...lines[i]!].join("\n");
  // Long lines are broken.
  const height = (own: readonly string[]) => own.reduce((sum, { length }) => sum + Math.ceil(length / WIDTH), 0);
  return tokenHtml({ title, scope: `fate${afterLayers.length}`, texts, kinds, kind, hover, panel: 1 + lines.reduce((most, own) => Math.max(most, height(own)), 0) });
}

/** From violet, fell first, to yellow, fell last. */
export function stageHue(stage: number, stages: number): number {
  return Math.round(stages <= 1 ? 30 : 280 - (235 * stage) / (stages - 1));
}

/** The prompt as text, tokens that fell in brackets with their stage: `[3:text]`. @param mark how to set off a run of fallen tokens */
export function tokenText({ stage, texts }: TokenView, title: string, mark = (text: string, s: number) => `[${s}:${text}]`): string {
  let text = "";
  for (let start = 0; start < texts.length; ) {
    let end = start;
    while (end < texts.length && stage[end] === stage[start]) end++;
    const run = harmless(texts.slice(start, end).join(""));
    text += stage[start]! < 0 ? run : mark(run, stage[start]!);
    start = end;
  }
  return `${title}\n${text}`;
}
