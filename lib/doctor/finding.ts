/** One thing that was looked at. */
export interface Finding {
  /** What was looked at, in a word or two. */
  readonly what: string;
  /** `problem`: something that is there does not work. `note`: something that could be there is not. */
  readonly state: "ok" | "note" | "problem";
  readonly says: string;
  /** What to do about it. */
  readonly todo?: string;
  /** The same for programs. */
  readonly data?: object;
}
