import type { Notebook } from "../types.js";
import { Browser } from "./browser.js";
import type { RenderOptions } from "./options.js";
import { toHtml } from "./to-html.js";

/**
 * A notebook as PDF, printed by an installed Chromium.
 * @throws where there is none
 */
export async function toPdf(notebook: Notebook, options: RenderOptions): Promise<Uint8Array> {
  const browser = await Browser.start(options.chromium).catch((error: Error) => {
    throw new Error(`pdf: ${error.message}`);
  });
  const close = (): void => void browser.close();
  options.signal?.addEventListener("abort", close, { once: true });
  try {
    return await browser.pdf(toHtml(notebook, { ...options, paper: true }), options.warn);
  } catch (error) {
    options.signal?.throwIfAborted();
    throw error;
  } finally {
    options.signal?.removeEventListener("abort", close);
    await browser.close();
  }
}
