import { runLabel } from "../../inspect/label.js";
import type { Check, Verification, VerifyOptions } from "../../inspect/verify.js";
import type { Run } from "../../runtime/run.js";
import { escapeHtml } from "../../escape-html.js";
import { shown, type Shown } from "./view.js";

/**
 * Checks a run's cache on its tensors: counts of every stage, length, positions and bytes of every layer, and that up to the
 * first block that prunes, keys and values are those of the unpruned run. In words; an assertion for a notebook.
 * @throws where a check fails, naming the first difference, unless `throws` is false
 * @example
 * await sdtp.verify(run)
 */
export async function verify(run: Run, options: VerifyOptions = {}): Promise<Shown<Verification>> {
  const { verifyRun } = await import("../../inspect/verify.js");
  const data = await verifyRun(run, options);
  const title = `Verification: ${runLabel(run)}, ${data.ok ? "all that was checked holds" : "FAILED"}`;
  const mark = ({ ok }: Check) => (ok === null ? "not checked" : ok ? "ok" : "FAILED");
  const sign = ({ ok }: Check) => (ok === null ? "–" : ok ? "✓" : "✗");
  const items = () => data.checks.map((check) => `<li>${sign(check)} <b>${check.name}</b>${check.ok === true ? "" : ` (${mark(check)})`}: ${escapeHtml(check.text)}</li>`).join("");
  return shown(data, {
    title,
    text: [title, ...data.checks.map((check) => `  ${sign(check)} ${check.name}${check.ok === true ? "" : ` (${mark(check)})`}: ${check.text}`)].join("\n"),
    html: () => `<p>${escapeHtml(title)}</p><ul style="list-style:none;padding-left:1em">${items()}</ul>`,
  });
}
