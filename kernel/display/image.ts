import { standaloneSvg } from "./elements.js";
import type { Formatted } from "./format.js";

const SIGNATURES: [string, (bytes: Uint8Array) => boolean][] = [
  ["image/png", (b) => b[0] === 0x89 && b[1] === 0x50],
  ["image/jpeg", (b) => b[0] === 0xff && b[1] === 0xd8],
  ["image/gif", (b) => b[0] === 0x47 && b[1] === 0x49 && b[2] === 0x46],
  ["image/webp", (b) => b[0] === 0x52 && b[8] === 0x57],
];

/**
 * An image by its bytes.
 * @throws for bytes of no known image format.
 */
export function imageBundle(image: Uint8Array | ArrayBufferLike, options: { width?: number; height?: number; alt?: string } = {}): Formatted {
  const bytes = image instanceof Uint8Array ? image : new Uint8Array(image);
  const { alt = "image", ...size } = options;
  const type = SIGNATURES.find(([, matches]) => matches(bytes))?.[0];
  if (type) return { data: { [type]: bytes, "text/plain": alt }, metadata: { [type]: size } };
  const text = new TextDecoder().decode(bytes.subarray(0, 1000));
  if (!/<svg[\s>]/.test(text)) throw new Error(`image: ${bytes.length} bytes (must be PNG, JPEG, GIF, WebP or SVG)`);
  return { data: { "image/svg+xml": standaloneSvg(new TextDecoder().decode(bytes)), "text/plain": alt }, metadata: { "image/svg+xml": size } };
}

/** A `Blob` of an image, as `fetch` and canvases give them. */
export function images(value: unknown): Promise<Formatted> | undefined {
  if (!(value instanceof Blob) || !/^image\//.test(value.type)) return undefined;
  return value.arrayBuffer().then((bytes) => imageBundle(bytes, { alt: `Blob ${value.type}, ${value.size} bytes` }));
}
