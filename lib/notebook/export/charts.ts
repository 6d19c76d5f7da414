import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { gzipSync } from "node:zlib";
import type { Figure } from "./mime.js";

/** Plotly's own file. */
export const plotlyPath = (): string => createRequire(import.meta.url).resolve("plotly.js/plotly.min.js");

export interface Library {
  /** Compressed and in base64 (2 MB). */
  readonly packed: string;
  /** What a content security policy calls the unpacked script. */
  readonly hash: string;
}

let made: Library | undefined;

export function library(): Library {
  if (made) return made;
  const source = readFileSync(plotlyPath());
  return (made = { packed: gzipSync(source, { level: 9 }).toString("base64"), hash: scriptHash(source) });
}

export const scriptHash = (source: string | Uint8Array): string => `'sha256-${createHash("sha256").update(source).digest("base64")}'`;

/** Traces that WebGL draws: Plotly compiles code for them, which a page must allow. */
export const needsEval = ({ data }: Figure): boolean => data.some(({ type }) => /gl$|3d$|^(splom|parcoords|surface|cone|streamtube|volume|isosurface)$/.test(String(type)));

/** JSON that may stand in a script element. */
export const scriptJson = (value: unknown): string => JSON.stringify(value).replaceAll("<", "\\u003c");
