/**
 * Text without what carriage returns and backspaces overwrite, as a terminal shows it: a progress bar leaves its last
 * state. Where the text ends with the cursor inside its last line, it still does: more text may come.
 */
export function withoutOverwritten(text: string): string {
  return text
    .replace(/\r+\n/g, "\n")
    .split("\n")
    .map((line, i, { length }) => (/[\r\b]/.test(line) ? overwritten(line, i === length - 1) : line))
    .join("\n");
}

function overwritten(line: string, isLast: boolean): string {
  const cells: string[] = [];
  let at = 0;
  // An escape sequence takes no room of its own: it goes with the character before it.
  for (const piece of line.match(/\x1b\[[0-9;?]*[A-Za-z]|[\s\S]/gu) ?? []) {
    if (piece === "\r") at = 0;
    else if (piece === "\b") at = Math.max(0, at - 1);
    else if (piece.startsWith("\x1b[")) {
      if (piece.endsWith("K")) cells.length = at;
      else if (at > 0) cells[at - 1] += piece;
      else cells[at] = piece + (cells[at] ?? "");
    } else {
      cells[at] = piece;
      at++;
    }
  }
  const back = !isLast ? "" : at === 0 && cells.length > 0 ? "\r" : "\b".repeat(cells.length - at);
  return cells.join("") + back;
}
