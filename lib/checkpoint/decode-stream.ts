/**
 * Turns ids that arrive one at a time into text. A character may be spread over several tokens, so text is held back
 * while it ends in the replacement character, which is how an unfinished UTF-8 sequence decodes. The pieces, `end()`
 * included, join to what decoding all ids at once gives.
 */
export class DecodeStream {
  /** Ids since the last two places where text was complete: the earlier stretch is context, its text is out. */
  private ids: number[] = [];
  private contextLength = 0;
  private contextText = "";

  constructor(private readonly decode: (ids: readonly number[]) => string) {}

  /** The text that this id completes; empty while a character is unfinished. */
  push(id: number): string {
    this.ids.push(id);
    const text = this.decode(this.ids);
    if (text.endsWith("\ufffd") || text.length <= this.contextText.length) return "";
    return this.emit(text);
  }

  /** What was held back, unfinished characters as the replacement character. */
  end(): string {
    const text = this.decode(this.ids);
    return text.length > this.contextText.length ? this.emit(text) : "";
  }

  private emit(text: string): string {
    const piece = text.slice(this.contextText.length);
    // The context stays in front of what comes: some decoders strip the space of a first token.
    this.ids = this.ids.slice(this.contextLength);
    this.contextLength = this.ids.length;
    this.contextText = this.decode(this.ids);
    return piece;
  }
}
