/** Text without what a carriage return or a backspace overwrites: a terminal's progress bar leaves its last state. */
export function withoutOverwritten(text: string): string {
  return text
    .replace(/\r+\n/g, "\n")
    .split("\n")
    .map((line) => (/[\r\b]/.test(line) ? overwritten(line) : line))
    .join("\n");
}

function overwritten(line: string): string {
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
  return cells.join("");
}
