/**
 * Markdown in which references to a cell's attachments are addresses: Jupyter's clients write the file's name as it is, with spaces,
 * brackets and quotes in it, which Markdown takes for text.
 */
export function withEncodedNames(source: string, names: readonly string[]): string {
  if (!source.includes("attachment:")) return source;
  // The longest name first: one may begin like another.
  return [...names].sort((a, b) => b.length - a.length).reduce((text, name) => {
    const forms = [...new Set([name, encodeURI(name), encodeURIComponent(name)])].map((form) => form.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&"));
    // In a link or picture, in the definition of one, in an attribute: code that tells of an attachment stays.
    const place = `(\\]\\(\\s*|^\\s{0,3}\\[[^\\]\\n]+\\]:\\s*|\\b(?:src|href)\\s*=\\s*["']?)<?attachment:(?:${forms.join("|")})>?(?=\\s*["')>]|\\s*$|\\s+["'(/a-z])`;
    return text.replace(new RegExp(place, "gm"), (_, before: string) => `${before}attachment:${encoded(name)}`);
  }, source);
}

/** As one word of an address; also what `encodeURIComponent` leaves and Markdown would read. */
const encoded = (name: string): string => encodeURIComponent(name).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
