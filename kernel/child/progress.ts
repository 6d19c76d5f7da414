import { escapeHtml } from "../display/html.js";
import type { Display, ProgressBar } from "./api.js";

/** Milliseconds between two states that are shown. */
const INTERVAL = 100;
const WIDTH = 30;

/** See {@link ./api.ts}: a bar for a number, an iterable with a bar for items. */
export function progress(display: Display, items: number | readonly unknown[] | Set<unknown>, label = ""): ProgressBar | Iterable<unknown> {
  if (typeof items === "number") return createBar(display, items, label);
  const all = [...items];
  return (function* () {
    const bar = createBar(display, all.length, label);
    try {
      for (const item of all) {
        yield item;
        bar.increment();
      }
    } finally {
      bar.finish();
    }
  })();
}

function createBar(display: Display, total: number, label: string): ProgressBar {
  const start = performance.now();
  let done = 0;
  let text = "";
  let shownAt = -Infinity;
  let finished = false;
  const handle = display(draw(), { raw: true });

  function draw(): Record<string, string> {
    const seconds = (performance.now() - start) / 1000;
    const left = done > 0 && done < total && !finished ? `, ${duration((seconds / done) * (total - done))} left` : "";
    const facts = `${done}/${total} [${duration(seconds)}${left}] ${text}`.trimEnd();
    const share = total > 0 ? Math.min(1, done / total) : 1;
    const filled = Math.round(share * WIDTH);
    return {
      "text/html": `<div>${escapeHtml(label)} <progress value="${done}" max="${total}" style="width: 20em; vertical-align: middle"></progress> ${escapeHtml(facts)}</div>`,
      "text/plain": `${label ? `${label} ` : ""}${"█".repeat(filled)}${"░".repeat(WIDTH - filled)} ${facts}`,
    };
  }

  function show(force: boolean): void {
    const now = performance.now();
    if (!force && now - shownAt < INTERVAL) return;
    shownAt = now;
    handle.update(asBundle(draw()));
  }

  return {
    update(value, what = text) {
      done = value;
      text = what;
      show(done >= total);
    },
    increment(by = 1, what) {
      this.update(done + by, what);
    },
    finish(what = text) {
      if (finished) return;
      finished = true;
      text = what;
      show(true);
    },
  };
}

/** A value that looks like `data`. */
function asBundle(data: Record<string, string>): object {
  return { [Symbol.for("Jupyter.display")]: () => data };
}

function duration(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")} min`;
}
