import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { gzipSync } from "node:zlib";

/** Plotly's own file. */
export const plotlyPath = (): string => createRequire(import.meta.url).resolve("plotly.js/plotly.min.js");

export const plotlySource = (): Buffer => readFileSync(plotlyPath());

/** A script compressed and in base64: of Plotly, 2 MB. */
export const packed = (source: Uint8Array): string => gzipSync(source, { level: 9 }).toString("base64");
