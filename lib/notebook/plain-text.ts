import { stripVTControlCharacters } from "node:util";

/** Text without a terminal's colours. */
export const plainText = (text: string): string => stripVTControlCharacters(text);
