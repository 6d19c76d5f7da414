import { escapeHtml } from "../escape-html.js";
import { duration, extrapolated } from "../report/duration.js";
import { notebook } from "./notebook.js";

/** What stands under a bar: a table that fills. */
export interface Body {
  readonly html: string;
  readonly text: string;
}

/** A progress bar below the running cell, with what was found so far under it. */
export interface Live {
  /**
   * @param share done, from 0 to 1
   * @param secondsLeft where the caller knows better than the time so far tells; null: unknown
   */
  update(share: number, label: string, secondsLeft?: number | null): void;
  /** Puts this under the bar. */
  show(body: Body): void;
  /** The last state: no bar any more, a line of text in its place. */
  end(text: string): void;
}

/** Milliseconds between two states that are shown. */
const INTERVAL = 150;
const WIDTH = 30;

/** @returns undefined outside of a notebook, or with `show` false */
export function live(show = true): Live | undefined {
  const host = show ? notebook() : undefined;
  if (!host) return undefined;
  const started = performance.now();
  let [share, label, left] = [0, "", null as number | null];
  let body: Body = { html: "", text: "" };
  let last: string | undefined;
  let shownAt = performance.now();
  let later: NodeJS.Timeout | undefined;
  const handle = host.display(shown(draw()));

  function draw(): Record<string, string> {
    const time = duration((performance.now() - started) / 1e3);
    const facts = last ?? `${Math.floor(100 * share)} %, ${time}${left === null ? "" : `, about ${duration(left)} left`}${label === "" ? "" : `: ${label}`}`;
    const filled = Math.round(share * WIDTH);
    const bar = { html: `<progress value="${share.toFixed(4)}" max="1" style="width:20em;vertical-align:middle"></progress> `, text: `${"█".repeat(filled)}${"░".repeat(WIDTH - filled)} ` };
    return {
      "text/html": `<div>${last === undefined ? bar.html : ""}${escapeHtml(facts)}</div>${body.html}`,
      "text/plain": `${last === undefined ? bar.text : ""}${facts}${body.text === "" ? "" : `\n${body.text}`}`,
    };
  }

  function redraw(force: boolean): void {
    const now = performance.now();
    if (!force && now - shownAt < INTERVAL) {
      // What was said last is seen, also where nothing follows it for a while.
      later ??= setTimeout(() => redraw(true), INTERVAL - (now - shownAt)).unref();
      return;
    }
    clearTimeout(later);
    later = undefined;
    shownAt = now;
    handle.update(shown(draw()));
  }

  return {
    update(done, what, secondsLeft) {
      share = Math.min(1, done);
      label = what;
      left = secondsLeft === undefined ? extrapolated(share, (performance.now() - started) / 1e3) : secondsLeft;
      redraw(false);
    },
    show(next) {
      body = next;
      redraw(false);
    },
    end(text) {
      last = `${text} (${duration((performance.now() - started) / 1e3)})`;
      redraw(true);
    },
  };
}

/**
 * Work with its progress below the running cell, and afterwards a line that says how it ended.
 * @param ends what the line says: of what was found, or where the work throws
 */
export async function withProgress<T>(show: boolean | undefined, ends: { readonly done: (found: T) => string; readonly stopped?: string }, work: (output: Live | undefined) => Promise<T>): Promise<T> {
  const output = live(show);
  let last = ends.stopped ?? "stopped";
  try {
    const found = await work(output);
    last = ends.done(found);
    return found;
  } finally {
    output?.end(last);
  }
}

function shown(data: Record<string, string>): object {
  return { [Symbol.for("Jupyter.display")]: () => data };
}
