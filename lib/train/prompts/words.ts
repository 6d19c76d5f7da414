import type { Random } from "../../random.js";

const split = (text: string): readonly string[] => text.split(" ");

/** Given names, surnames, places and things that made prompts are about. None of them is in an evaluation task's lists by design: see lib/evaluate/ruler. */
export const givenNames = split("Ada Bruno Carla Dimitri Elena Farid Greta Hugo Ines Jonas Katya Leo Mara Nils Olga Pavel Rosa Stefan Tara Umar Vera Walter Xenia Yusuf Zora Anselm Birgit Cyril Dora Emil");
export const surnames = split("Abbott Berg Castell Draper Eklund Foss Grieve Halloran Ivers Jansen Kemp Lindqvist Moreau Novak Ostrom Pryce Quayle Rossi Sorley Thorne Urban Vance Wexler Yates Zeller");
export const towns = split("Aberlow Brackenford Callowick Dunmere Eastbury Fernhollow Gildersby Harrowgate Inverleith Kestrelton Langmoor Millbrook Northwick Oakendale Pennyport Quarrydown Ravensby Stonecross Tidewell Upperfield Westmarsh Yarrowby");
export const things = split("lantern barrel compass saddle kettle ledger anvil violin telescope hammock pulley trunk bellows sextant quilt plough bucket candle ladder anchor basket chisel drum easel flute goblet harness inkwell jar kite");
export const colours = split("amber crimson olive violet copper ivory scarlet teal umber cobalt maroon ochre silver");
export const days = split("Monday Tuesday Wednesday Thursday Friday Saturday Sunday");
export const verbs = split("scale shift merge filter count rank trim pack split round limit index blend score encode sample");
export const nouns = split("width price weight speed row column token frame event order node batch page user signal offset");

/** `n` digits, the first not 0. */
export const digits = (random: Random, n: number): string => Array.from({ length: n }, (_, i) => (i === 0 ? random.between(1, 9) : random.int(10))).join("");

/** `n` hexadecimal digits. */
export const hex = (random: Random, n: number): string => Array.from({ length: n }, () => "0123456789abcdef"[random.int(16)]!).join("");

/** `count` different texts that `draw` makes. */
export function distinct(random: Random, count: number, draw: (random: Random) => string): string[] {
  const found = new Set<string>();
  for (let tries = 0; found.size < count && tries < 100 * count; tries++) found.add(draw(random));
  return [...found];
}
