import { buckets } from "../../inspect/buckets.js";
import type { Tracking } from "../../inspect/track.js";
import type { Run } from "../../runtime/run.js";
import { bucketSums, logShares, powersOfTen } from "./attention.js";
import { figureHtml } from "./figure-html.js";
import { colour, figure } from "./figure.js";
import { htmlTable } from "./html.js";
import { percent, short, textTable } from "./text.js";
import { shown, type Shown } from "./view.js";

/**
 * Generation with and without pruning, token by token: agreement, KL divergence, KV lengths, where the tokens look, and
 * where the two first part. The run given is not changed.
 * @param tokens to generate at most (default 32) @param against another run of the prompt; default: the unpruned one
 * @example
 * await sdtp.track(run, { tokens: 12 })
 */
export async function track(run: Run, { tokens = 32, against, columns = 256 }: { tokens?: number; against?: Run; columns?: number } = {}): Promise<Shown<Tracking>> {
  const { trackRun } = await import("../../inspect/track.js");
  const data = await trackRun(run, { tokens, ...(against && { against }) });
  const tokenizer = await run.model?.tokenizer().catch(() => null);
  const word = (id: number) => (tokenizer ? JSON.stringify(tokenizer.decode([id])) : String(id));
  const { steps, firstDivergence, agreement, meanKl } = data;
  const title = `Decode tracking: ${data.label} against ${data.against}`;
  const parting = firstDivergence === null ? `the same ${steps.length} tokens` : `first divergence at token ${firstDivergence}`;
  const caption = `${title}: ${parting}, ${percent(agreement)} of tokens agree, mean KL ${short(meanKl)} nats`;
  const head = ["step", "token", "own choice", "KL (nats)", "KV lengths"];
  const lengths = (each: readonly number[]) => (new Set(each).size === 1 ? String(each[0]) : `${Math.min(...each)} … ${Math.max(...each)}`);
  const cells = steps.map(({ step, id, own, agrees, kl, lengths: held }) => [step, word(id), agrees ? "=" : word(own), short(kl), lengths(held)]);
  const drawn = chart(data, title, columns);
  return shown(data, { title, text: textTable(caption, head, cells), figure: drawn, html: () => `${figureHtml(drawn, caption)}${htmlTable(caption, head, cells)}` });
}

function chart({ steps, attention }: Tracking, title: string, columns: number) {
  const x = steps.map(({ step }) => step);
  const cut = buckets(attention.promptLength, columns);
  const kl = (name: string, agrees: boolean, i: number) => {
    const of = steps.filter((step) => step.agrees === agrees);
    return { type: "bar" as const, name, x: of.map(({ step }) => step), y: of.map((step) => step.kl), marker: { color: colour(i) } };
  };
  const ends = ([["longest", Math.max], ["shortest", Math.min]] as const).map(([name, pick], i) => ({
    type: "scatter" as const, mode: "lines" as const, name: `${name} KV length`, x, y: steps.map(({ lengths }) => pick(...lengths)), line: { color: colour(2 + i) }, xaxis: "x2" as const, yaxis: "y2" as const,
  }));
  const heat = {
    type: "heatmap" as const, x, y: [...cut.starts], ...logShares(transposed(attention.byStep.map((row) => bucketSums(row, cut)))), colorscale: "Viridis", xaxis: "x3" as const, yaxis: "y3" as const,
    colorbar: { title: { text: "attention" }, len: 0.4, y: 0.2, ...powersOfTen },
    hovertemplate: "step %{x}, position %{y}: %{customdata} %<extra></extra>",
  };
  return figure(title, [kl("KL, same token", true, 0), kl("KL, another token", false, 4), ...ends, heat], {
    xaxis: { anchor: "y" }, yaxis: { title: { text: "KL (nats)" }, domain: [0.78, 1], rangemode: "tozero" },
    xaxis2: { anchor: "y2", matches: "x" }, yaxis2: { title: { text: "tokens" }, domain: [0.5, 0.72] },
    xaxis3: { anchor: "y3", matches: "x", title: { text: "generated token" } }, yaxis3: { title: { text: "prompt position" }, domain: [0, 0.44] },
  }, { height: 640, barmode: "overlay" });
}

function transposed<T>(rows: readonly (readonly T[])[]): T[][] {
  return (rows[0] ?? []).map((_, column) => rows.map((row) => row[column]!));
}
