/** Enough of a file's beginning to tell what stands in its place. */
export const PLACEHOLDER_BYTES = 200;

/**
 * What stands in the place of a model's file that was never fetched itself, and what to do.
 * @param start the file's first bytes
 * @returns a sentence's end for an error; null: it is none of these
 */
export function placeholder(start: Uint8Array): string | null {
  const text = Buffer.from(start.subarray(0, PLACEHOLDER_BYTES)).toString("latin1");
  if (/^version https:\/\/git-lfs\.github\.com\//.test(text)) return "a Git LFS pointer, not the file that it stands for (git lfs pull fetches that; so does the model's name on the hub)";
  if (/^\s*<(!doctype\s|html|head|\?xml)/i.test(text)) return "a web page, not the file itself (fetch it again; pages of the hub have the file under /resolve/, not /blob/)";
  return null;
}
