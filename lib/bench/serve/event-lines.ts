/** Reads JSON out of server-sent events as they come in pieces. https://html.spec.whatwg.org/multipage/server-sent-events.html */
export class EventLines {
  #held = "";

  /** @returns the data of the events that this piece made whole; `[DONE]` and comments have none */
  push(piece: string): Record<string, unknown>[] {
    const lines = (this.#held + piece).split(/\r?\n/);
    this.#held = lines.pop()!;
    return lines.flatMap((line) => {
      const data = /^data:\s?(.*)$/.exec(line)?.[1];
      if (data === undefined || data === "[DONE]") return [];
      try {
        return [JSON.parse(data) as Record<string, unknown>];
      } catch {
        return [{ error: { message: `an event of the stream is not JSON: ${data.slice(0, 100)}` } }];
      }
    });
  }
}
