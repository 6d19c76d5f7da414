/** A piece of what a program printed; `href` where it is a link (OSC 8) to the web or to an address for mail. */
export interface Piece {
  readonly text: string;
  readonly href?: string;
}

const link = /(?:\x1b\]|\x9d)8;[^;\x07\x1b\x9c]*;([^\x07\x1b\x9c]*)(?:\x07|\x1b\\|\x9c)/;
/** Other strings that a terminal takes for itself: its title, pictures, the colour table. */
const others = /(?:\x1b[\]P^_X]|[\x90\x98\x9d-\x9f])(?!8;)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)/g;

/** Text parted at its links; colours stay in it, other strings for the terminal go. */
export function pieces(text: string): Piece[] {
  const parts = text.replace(others, "").split(link);
  return parts.flatMap((part, i): Piece[] => {
    // Split by an expression with a group: texts at even places, what follows an address at the next.
    if (i % 2 === 1 || part === "") return [];
    const href = i === 0 ? "" : parts[i - 1]!;
    return [/^(https?:\/\/|mailto:)/i.test(href) ? { text: part, href } : { text: part }];
  });
}
