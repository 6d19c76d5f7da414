import { resolve } from "node:path";
import { readText } from "../../files.js";

/** One work that a text refers to. */
export interface Cited {
  readonly key: string;
  /** `see` */
  readonly prefix?: string;
  /** `p. 3` */
  readonly suffix?: string;
}

interface Cite {
  readonly data: readonly { readonly id: string }[];
  format(kind: "citation" | "bibliography", options: object): unknown;
}

/** Works of BibTeX files, and which of them were cited. */
export class Bibliography {
  private readonly keys: ReadonlySet<string>;
  readonly used = new Set<string>();

  private constructor(
    private readonly cite: Cite,
    /** All entries, for LaTeX. */
    readonly bibtex: string,
  ) {
    this.keys = new Set(cite.data.map(({ id }) => id));
  }

  /**
   * @param files BibTeX files, from `folder`
   * @throws an error that names the file: missing, no BibTeX
   */
  static async read(files: readonly string[], folder: string): Promise<Bibliography | undefined> {
    if (files.length === 0) return undefined;
    const { Cite } = (await import("@citation-js/core" as string)) as { Cite: new (data?: unknown) => Cite & { add(data: unknown): void } };
    await Promise.all([import("@citation-js/plugin-bibtex" as string), import("@citation-js/plugin-csl" as string)]);
    const all = new Cite();
    const texts: string[] = [];
    for (const file of files) {
      const text = await readText("bibliography", resolve(folder, file));
      try {
        // What is no BibTeX would be taken for something else, an address even.
        if (text.trim() !== "" && !/^\s*@\w+\s*[{(]/m.test(text)) throw new Error("no entry in it");
        all.add(text);
      } catch (error) {
        throw new Error(`bibliography: ${file} (no valid BibTeX: ${(error as Error).message.split("\n")[0]})`);
      }
      texts.push(text.trim());
    }
    return new Bibliography(all, texts.join("\n\n"));
  }

  has(key: string): boolean {
    return this.keys.has(key);
  }

  /** `(Knuth, 1984, p. 3; Tao et al., 2025)`, or in a sentence `Knuth (1984)`. All keys are known. */
  text(cited: readonly Cited[], isText: boolean): string {
    for (const { key } of cited) this.used.add(key);
    const of = (entry: string) => String(this.cite.format("citation", { entry: [entry], format: "text", template: "apa" })).trim().replace(/^\(|\)$/g, "");
    const parts = cited.map(({ key, prefix, suffix }) => [prefix, of(key)].filter(Boolean).join(" ") + (suffix ? `, ${suffix}` : ""));
    if (!isText) return `(${parts.join("; ")})`;
    const [, author, year] = /^(.*), ([^,]+)$/.exec(of(cited[0]!.key)) ?? [];
    return author === undefined ? `(${parts[0]})` : `${author} (${year})`;
  }

  /** The works that were cited, in order of their authors, each as HTML. */
  entries(): { readonly key: string; readonly html: string }[] {
    const made = this.cite.format("bibliography", { entry: [...this.used], format: "html", template: "apa", asEntryArray: true }) as [string, string][];
    return made.map(([key, html]) => ({ key, html: html.replace(/^\s*<div[^>]*>|<\/div>\s*$/g, "").trim() }));
  }
}

/** The id of a work in the list. */
export const workId = (key: string): string => `ref-${key.replace(/[^\p{L}\p{N}_.-]+/gu, "-")}`;
