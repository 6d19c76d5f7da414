// What was measured, for readers: tables in markdown and charts. Pure functions of the result.
import type { Figure } from "../../lib/report/figure.js";
import { toMarkdown } from "../../lib/report/formats/index.js";
import { lengthLabel } from "../../lib/report/label.js";
import type { Column, Table } from "../../lib/report/table.js";
import { figure } from "../../lib/report/views/figure.js";
import { titles } from "./models.js";
import { OWN } from "./peers.js";
import type { Figures, PeersResult, RowResult } from "./result.js";

interface Measured extends RowResult {
  readonly figures: Figures;
}

const isMeasured = (row: RowResult): row is Measured => row.figures !== null;
const isRival = ({ peer }: RowResult): boolean => peer !== OWN;
const bits = [32, 16, 8, 4] as const;

interface Kind {
  readonly key: keyof Figures;
  readonly label: string;
  readonly show: (value: number) => string;
}
/** What is compared, the less the better. */
const kinds: readonly Kind[] = [
  { key: "prefill_seconds", label: "Prefill (s)", show: (value) => value.toFixed(value < 10 ? 3 : 2) },
  { key: "decode_seconds_per_token", label: "Decode (ms/token)", show: (value) => (1e3 * value).toFixed(1) },
  { key: "end_to_end_seconds", label: "End to End (s)", show: (value) => value.toFixed(value < 10 ? 3 : 2) },
  { key: "peak_memory_bytes", label: "Memory (MB)", show: (value) => (value / 1e6).toFixed(0) },
  { key: "start_to_first_token_seconds", label: "Start to First Token (s)", show: (value) => value.toFixed(2) },
];

/** The least of a figure; undefined where none has it. */
function least<Each extends Measured>(rows: readonly Each[], key: keyof Figures): Each | undefined {
  const known = rows.filter(({ figures }) => figures[key] !== null);
  return known.length === 0 ? undefined : known.reduce((best, row) => (row.figures[key]! < best.figures[key]! ? row : best));
}

/** Rows of one model at one length, the fewest seconds end to end first within equal bits; those that failed at the end. */
export function peersTable(rows: readonly RowResult[]): Table<RowResult> {
  const sorted = [...rows].sort((a, b) => Number(!a.figures) - Number(!b.figures) || b.bits - a.bits || (a.figures?.end_to_end_seconds ?? 0) - (b.figures?.end_to_end_seconds ?? 0));
  const measured = rows.filter(isMeasured);
  const bestOf = (row: Measured, key: keyof Figures) => least(measured.filter((each) => each.whole && each.bits === row.bits), key) === row;
  return {
    title: "Peers",
    columns: [
      { key: "bits", label: "Bits", value: (row) => row.bits },
      { key: "row", label: "Row", value: (row) => `${row.row}${row.whole ? "" : " (prunes)"}` },
      ...kinds.map(({ key, label, show }): Column<RowResult> => ({
        key, label,
        value: (row) => {
          if (!isMeasured(row) || row.figures[key] === null) return null;
          const text = show(row.figures[key]);
          return bestOf(row, key) ? `**${text}**` : text;
        },
      })),
      { key: "agreement", label: "First Tokens Equal", value: (row) => (row.agreement ? `${row.agreement.equal} of ${row.agreement.of}` : null) },
      { key: "samples", label: "Samples", value: (row) => (row.figures ? row.samples.length : `failed: ${row.failure!.replace(/\s+/g, " ").slice(0, 300)}`) },
    ],
    rows: sorted,
    above: [], warnings: warningsOf(rows), facts: () => ({}),
  };
}

/** Greedy tokens of float32 that part sooner than this are no rounding. */
const AT_LEAST = 16;

function warningsOf(rows: readonly RowResult[]): string[] {
  const measured = rows.filter(isMeasured);
  const parted = measured.filter(({ bits: each, whole, agreement }) => each === 32 && whole && agreement !== null && agreement.equal < Math.min(AT_LEAST, agreement.of));
  const loads = measured.flatMap(({ samples }) => samples.flatMap(({ load }) => (load === null ? [] : [load])));
  const busiest = Math.max(0, ...loads);
  return [
    ...parted.map(({ row, agreement }) => `${row}: only the first ${agreement!.equal} tokens are those of ${agreement!.with}, both in float32`),
    ...(busiest > 0.2 ? [`up to ${busiest.toFixed(1)} processors were busy with something else meanwhile`] : []),
    ...measured.filter(({ samples }) => samples.some(({ tokens }) => tokens.join() !== samples[0]!.tokens.join())).map(({ row }) => `${row}: its samples gave different tokens`),
  ];
}

/** One comparison: this package's best row of so many bits and the best of the others. */
interface Ahead {
  readonly bits: number | "any";
  readonly kind: Kind;
  readonly rival: Measured | undefined;
  readonly own: Measured | undefined;
  readonly pruned: Measured | undefined;
}

/** Who is ahead at equal bits, and whatever the bits. */
export function aheadTable(rows: readonly RowResult[]): Table<Ahead> {
  const measured = rows.filter(isMeasured);
  const all = ([...bits, "any"] as const).flatMap((each) => kinds.map((kind): Ahead => {
    const here = measured.filter((row) => each === "any" || row.bits === each);
    return { bits: each, kind, rival: least(here.filter((row) => isRival(row)), kind.key), own: least(here.filter((row) => !isRival(row) && row.whole), kind.key), pruned: least(here.filter((row) => !row.whole), kind.key) };
  }));
  const value = (row: Measured | undefined, { key, show }: Kind) => (row ? `${show(row.figures[key]!)} (${row.row.replace(`${OWN} `, "")})` : null);
  const against = ({ rival, kind }: Ahead, row: Measured | undefined) => {
    if (!row || !rival) return null;
    const ratio = rival.figures[kind.key]! / row.figures[kind.key]!;
    return ratio >= 1 ? `${OWN} ${ratio.toFixed(2)} x` : `${rival.peer} ${(1 / ratio).toFixed(2)} x`;
  };
  return {
    title: "Ahead",
    columns: [
      { key: "bits", label: "Bits", value: (row) => row.bits },
      { key: "of", label: "Of", value: (row) => row.kind.label },
      { key: "peer", label: "Best Peer", value: (row) => value(row.rival, row.kind) },
      { key: "own", label: `Best of ${OWN}`, value: (row) => value(row.own, row.kind) },
      { key: "ahead", label: "Ahead", value: (row) => against(row, row.own) },
      { key: "pruned", label: "Best that Prunes", value: (row) => value(row.pruned, row.kind) },
      { key: "pruned_ahead", label: "Ahead", value: (row) => against(row, row.pruned) },
    ],
    rows: all.filter(({ rival, own, pruned }) => rival || own || pruned),
    above: [], warnings: [], facts: () => ({}),
  };
}

/** Seconds of prefill and of decoding, a bar a row, the fewest at the top. @throws where nothing was measured */
export function peersFigure(result: PeersResult, rows: readonly RowResult[]): Figure {
  const measured = rows.filter(isMeasured).sort((a, b) => b.figures.end_to_end_seconds - a.figures.end_to_end_seconds);
  if (measured.length === 0) throw new Error("chart: no row was measured (nothing to draw)");
  const { model, length } = measured[0]!;
  const names = measured.map(({ row, whole }) => `${row}${whole ? "" : " (prunes)"}`);
  const bar = (name: string, color: string, of: (figures: Figures) => number) => ({ type: "bar" as const, orientation: "h" as const, name, y: names, x: measured.map(({ figures }) => Number(of(figures).toPrecision(5))), marker: { color } });
  return figure(
    `${titles[model]}, ${lengthLabel(length)} tokens of prompt, then ${result.settings.new_tokens}`,
    [bar("prefill", "#0072B2", (each) => each.prefill_seconds), bar("decode", "#E69F00", (each) => each.end_to_end_seconds - each.prefill_seconds)],
    { xaxis: { title: { text: "seconds" } }, yaxis: { type: "category" } },
    { barmode: "stack", height: 120 + 22 * measured.length },
  );
}

/** Rows by model and length. */
export function placesOf({ rows }: PeersResult): RowResult[][] {
  const places = new Map<string, RowResult[]>();
  for (const row of rows) {
    const key = `${row.model} ${row.length}`;
    places.set(key, [...(places.get(key) ?? []), row]);
  }
  return [...places.values()];
}

/** File of a chart. */
export const chartName = ({ model, length }: RowResult): string => `${model}-${length}.svg`;

/** The page: what was measured and how, who is ahead, all rows, with charts beside it. */
export function peersPage(result: PeersResult): string {
  const { settings, commits } = result;
  const places = placesOf(result);
  const counts = result.rows.flatMap(({ samples }) => (samples.length === 0 ? [] : [samples.length]));
  const range = counts.length === 0 ? "no samples" : Math.min(...counts) === Math.max(...counts) ? `${counts[0]} each` : `${Math.min(...counts)} to ${Math.max(...counts)} each`;
  const parts = places.map((rows) => {
    const [{ model, length }] = rows as [RowResult];
    const chart = rows.some(isMeasured) ? `![Seconds of prefill and decoding of each row](${chartName(rows[0]!)})\n\n` : "";
    return `## ${titles[model]}, ${lengthLabel(length)} tokens\n\n${chart}${toMarkdown(aheadTable(rows))}\n${toMarkdown(peersTable(rows))}`;
  });
  return [
    "# Beside other programs\n",
    `The same prompt, token by token, and ${settings.new_tokens} greedy tokens after the first, on ${settings.threads} threads of ${settings.cpu.cores} cores of ${settings.cpu.model}, ${(settings.memory_bytes / 1e9).toFixed(0)} GB. Each sample is of a process of its own that was warm; rows take turns. Medians, ${range}; \`peers.json\` has all samples, with the version and the settings of each.\n`,
    `Bold: the least of those of equal bits that compute the whole prompt. Rows that prune compute less, and are held against the best peer of equal bits too. Memory is the largest resident size of the process, files that it maps included. From the start of the process to the first token, files were in memory already. How each row is run, and what may be said against it, is in \`test/peers/README.md\`.${commits.length > 0 ? ` This package at ${commits.map((commit) => commit.slice(0, 10).concat(commit.endsWith("-dirty") ? " (changed)" : "")).join(", ")}.` : ""}\n`,
    versionsLine(result),
    ...parts,
  ].join("\n");
}

function versionsLine({ rows }: PeersResult): string {
  const found = new Map<string, Set<string>>();
  for (const { samples } of rows) for (const { versions } of samples) for (const [name, version] of Object.entries(versions)) found.set(name, (found.get(name) ?? new Set()).add(version));
  return `Versions: ${[...found].map(([name, all]) => `${name} ${[...all].join(" and ")}`).join(", ")}.\n`;
}
