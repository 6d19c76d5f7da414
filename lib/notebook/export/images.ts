import { readFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import type { Attachments } from "../types.js";
import { textOf } from "./mime.js";

/** An image's bytes and what they are. */
export interface Image {
  readonly type: string;
  readonly bytes: Uint8Array;
}

const signatures: readonly [type: string, matches: (bytes: Buffer) => boolean][] = [
  ["image/png", (b) => b.subarray(0, 4).equals(Buffer.from([0x89, 0x50, 0x4e, 0x47]))],
  ["image/jpeg", (b) => b[0] === 0xff && b[1] === 0xd8],
  ["image/gif", (b) => b.subarray(0, 3).toString("latin1") === "GIF"],
  ["image/webp", (b) => b.subarray(0, 4).toString("latin1") === "RIFF" && b.subarray(8, 12).toString("latin1") === "WEBP"],
  ["image/bmp", (b) => b.subarray(0, 2).toString("latin1") === "BM"],
  ["image/avif", (b) => b.subarray(4, 12).toString("latin1") === "ftypavif"],
  ["image/svg+xml", (b) => /^(\uFEFF)?\s*(<\?xml|<!--|<!doctype svg|<svg[\s>])/i.test(b.subarray(0, 200).toString()) && b.includes("<svg")],
];

const extensions: Readonly<Record<string, string>> = { "image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/webp": "webp", "image/avif": "avif", "image/bmp": "bmp", "image/svg+xml": "svg" };
export const extensionOf = (type: string): string => extensions[type] ?? "bin";

/** Types of a bundle that are images, the sharpest first. */
export const imageTypes: readonly string[] = ["image/svg+xml", "image/png", "image/jpeg", "image/webp", "image/avif", "image/gif", "image/bmp"];

/** An image of a bundle: base64, or SVG as text. */
export function bundleImage(type: string, content: Parameters<typeof textOf>[0]): Image {
  const text = textOf(content);
  return { type, bytes: type === "image/svg+xml" && text.includes("<") ? Buffer.from(standalone(text)) : Buffer.from(text, "base64") };
}

/** Whether a bundle's image is one: text that is no base64, and bytes of another kind, would be a broken picture. */
export function isImage(type: string, content: Parameters<typeof textOf>[0]): boolean {
  const text = textOf(content);
  if (type === "image/svg+xml") return /<svg\b/i.test(text.includes("<") ? text : Buffer.from(text, "base64").toString());
  const head = Buffer.from(text.slice(0, 400).replace(/\s+/g, ""), "base64");
  return signatures.some(([, matches]) => matches(head));
}

/** A bundle's image as an address; its base64 stays as it is. */
export function bundleUri(type: string, content: Parameters<typeof textOf>[0]): string {
  const text = textOf(content);
  return type === "image/svg+xml" ? dataUri(bundleImage(type, content)) : `data:${type};base64,${/\s/.test(text) ? text.replace(/\s+/g, "") : text}`;
}

/** SVG that may stand in a file: in a page its namespaces need not be said. */
export function standalone(svg: string): string {
  return svg.replace(/<svg\b(?:[^>"']|"[^"]*"|'[^']*')*>/i, (tag) => {
    const needed = [!/\sxmlns\s*=/.test(tag) && "http://www.w3.org/2000/svg", /\bxlink:/.test(svg) && !/\sxmlns:xlink\s*=/.test(tag) && "http://www.w3.org/1999/xlink"];
    return tag.replace(/^<svg\b/i, `<svg${needed[0] ? ` xmlns="${needed[0]}"` : ""}${needed[1] ? ` xmlns:xlink="${needed[1]}"` : ""}`);
  });
}

/** What the copy of an image is called that a cell refers to as `source`. */
export function copyName(source: string, { type }: Image): string {
  const name = basename(decoded(source.replace(/^attachment:/, "").replace(/[?#].*$/, "")));
  return `${name.replace(/\.[^.]*$/, "").replace(/[^\p{L}\p{N}_-]+/gu, "-")}.${extensionOf(type)}`;
}

export const dataUri = ({ type, bytes }: Image): string => `data:${type};base64,${Buffer.from(bytes).toString("base64")}`;

export const isRemote = (source: string): boolean => /^([a-z][a-z0-9+.-]*:)?\/\//i.test(source);

/**
 * The image that a markdown cell refers to: an attachment of the cell, or a file seen from the notebook's folder.
 * Only images are read: a notebook of someone else's must not carry other files into a report.
 * @returns a sentence that says why where there is none
 */
export function localImage(source: string, attachments: Attachments, folder: string): Image | string {
  if (source.startsWith("attachment:")) {
    const written = source.slice("attachment:".length);
    const name = [written, decoded(written)].find((each) => each in attachments) ?? decoded(written);
    const [type, content] = Object.entries(attachments[name] ?? {})[0] ?? [];
    return type === undefined ? `the cell has no attachment ${name}` : bundleImage(type, content);
  }
  const path = resolve(folder, decoded(source.replace(/[?#].*$/, "")));
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    return `cannot be read: ${(error as NodeJS.ErrnoException).code}`;
  }
  const type = signatures.find(([, matches]) => matches(bytes))?.[0];
  return type === undefined ? "no image: neither PNG, JPEG, GIF, WebP, AVIF nor SVG" : { type, bytes };
}

/** An address as a path; one that is no valid address is a path already. */
export function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
