import { type Browser, chromium, type Page } from "playwright-core";
import { findChromium } from "../lib/notebook/export/find-chromium.js";

const path = findChromium();

/** For a test's `skip`: false where there is a browser. */
export const noChromium: string | false = path === undefined && "needs Chromium (Debian: chromium)";

export const launch = (): Promise<Browser> =>
  chromium.launch({ executablePath: path!, args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"] });

/** What a page complains of, and every request that leaves it (or `origin`); filled as it happens. */
export function problemsOf(page: Page, origin = "file:"): string[] {
  const problems: string[] = [];
  page.on("pageerror", (error) => void problems.push(`throws: ${error.message}`));
  page.on("console", (message) => void (["error", "warning"].includes(message.type()) && problems.push(`${message.type()}: ${message.text()}`)));
  page.on("request", (request) => void (/^(data|blob|about):/.test(request.url()) || request.url().startsWith(origin) || problems.push(`asks for ${request.url()}`)));
  return problems;
}
