/** What can be wrong with a request: of each kind of defect, the bytes of a body. */

/** A body that a server must refuse, made of one that is right. @param longest positions of the model, where they are known */
export type Defect = (body: Readonly<Record<string, unknown>>, longest: number) => Buffer;

const json = (value: unknown) => Buffer.from(JSON.stringify(value));

/** What no server can answer, whatever it lets pass otherwise. */
export const defects: Readonly<Record<string, Defect>> = {
  "empty body": () => Buffer.alloc(0),
  "cut JSON": (body) => json(body).subarray(0, -20),
  "bad UTF-8": (body) => Buffer.concat([json(body).subarray(0, -1), Buffer.from(',"user":"'), Buffer.from([0xff, 0xfe, 0xc0]), Buffer.from('"}')]),
  "deep nesting": (body) => Buffer.from(`${JSON.stringify(body).slice(0, -1)},"stop":${"[".repeat(50_000)}${"]".repeat(50_000)}}`),
  "an array for a body": (body) => json([body]),
  "no prompt": ({ prompt: _, messages: __, ...body }) => json(body),
  "a prompt of a wrong type": (body) => json("messages" in body ? { ...body, messages: 7 } : { ...body, prompt: { text: "The sea" } }),
  "max_tokens of a wrong type": (body) => json({ ...body, max_tokens: "many" }),
  "temperature of a wrong type": (body) => json({ ...body, temperature: [] }),
  "too long": (body, longest) => json("messages" in body ? { ...body, messages: [{ role: "user", content: "the sea ".repeat(longest) }] } : { ...body, prompt: "the sea ".repeat(longest) }),
};
