import { valuesHtml } from "../../control/html.js";
import type { KeptControl } from "../../control/kept.js";
import { escapeHtml } from "../../escape-html.js";
import type { Output } from "../types.js";
import { scriptJson } from "./charts.js";

/**
 * A control as a report shows it: its last state; where all states were computed, controls that the page's own script makes of their
 * description, and each state's view as a template that it takes.
 * @param render one output of a view as the report shows outputs, with an id of its own
 */
export function controlHtml({ controls, values, outputs, states }: KeptControl, id: string, isStill: boolean, render: (output: Output, id: string) => string): string {
  const view = (shown: KeptControl["outputs"], name: string) => shown.map((output, i) => render(output as Output, `${id}-${name}-${i + 1}`)).join("\n");
  const last = `<div class="sdtp-control-view">${view(outputs, "last")}</div>`;
  const said = valuesHtml(controls, values);
  if (!states || isStill) return `<div class="sdtp-control">${said}${last}</div>`;
  const templates = Object.entries(states).map(([key, shown], at) => `<template data-state="${escapeHtml(key)}">${view(shown, `state-${at + 1}`)}</template>`);
  return `<div class="sdtp-control"><script type="application/json">${scriptJson({ controls, values })}</script><div class="sdtp-control-form">${said}</div>${last}\n${templates.join("\n")}</div>`;
}
