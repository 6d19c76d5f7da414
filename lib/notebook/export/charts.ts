import { createHash } from "node:crypto";
import { packed, plotlySource } from "../../report/views/plotly-library.js";
import type { Figure } from "./mime.js";

export interface Library {
  /** Compressed and in base64 (2 MB). */
  readonly packed: string;
  /** What a content security policy calls the unpacked script. */
  readonly hash: string;
}

let made: Library | undefined;

export function library(): Library {
  if (made) return made;
  const source = plotlySource();
  return (made = { packed: packed(source), hash: scriptHash(source) });
}

export const scriptHash = (source: string | Uint8Array): string => `'sha256-${createHash("sha256").update(source).digest("base64")}'`;

/** Traces that WebGL draws: Plotly compiles code for them, which a page must allow. */
export const needsEval = ({ data }: Figure): boolean => data.some(({ type }) => /gl$|3d$|^(splom|parcoords|surface|cone|streamtube|volume|isosurface)$/.test(String(type)));

/** JSON that may stand in a script element. */
export const scriptJson = (value: unknown): string => JSON.stringify(value).replaceAll("<", "\\u003c");
