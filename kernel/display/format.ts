/** A MIME bundle, or only its data: `{"text/html": "…"}`. Bytes are allowed where base64 is meant. */
export type Formatted = Record<string, unknown>;

/** Shows values of some type; undefined for values of others. */
export type Format = (value: unknown) => Formatted | Promise<Formatted> | undefined;
