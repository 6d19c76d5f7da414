const split = (text: string): readonly string[] => text.split(" ");

/** Of needles' keys, "adjective-noun". */
export const adjectives = split(
  "able brave brief bright broad calm careful cheap clean clever cold common cool curious dark deep dense distant dry dull eager early easy exact faint fair " +
  "famous fast final firm flat fresh full gentle glad golden grand grave green handy happy hard harsh heavy hidden high hollow honest humble idle keen kind large late " +
  "lazy level light little lively local lonely long loose loud low loyal lucky major mild modern modest narrow neat noble noisy odd open pale patient plain polite proud pure " +
  "quick quiet rapid rare ready rich rigid ripe rough round royal rural sad safe secret sharp short shy silent simple slim slow small smart smooth soft solid sour special " +
  "steady steep stern stiff strange strict strong sudden sweet swift tall tame tender thick thin tidy tiny tired tough true urban useful vague vast warm weak wide wild wise young",
);

export const nouns = split(
  "acorn airport alley apple apron arrow artist attic badge bakery balcony banner barn battery beach bell bench bicycle blanket boat bottle bridge broom brush button cabin cable camera canal canyon " +
  "carpet cart castle ceiling chain chair chapel cherry chimney circle clock cloud coat coin collar comet copper corner cottage cradle crown curtain dancer desert diary dinner doctor dragon drawer " +
  "eagle engine envelope factory farmer feather fence ferry fiddle forest fountain fox garden gate glacier glove goose grape hammer harbor hat hawk helmet hill hotel island jacket jewel journal judge jungle kitchen " +
  "knife lake lamp lawyer leaf lemon letter library lion lizard market mask meadow mirror mountain museum needle nest notebook ocean office orange orchard oven owl painter palace paper parade parrot pencil piano " +
  "picture pilot pillow planet plate pocket pond poet potato puzzle rabbit radio railway ribbon ring river roof rope rug sailor salt school scissors shadow shelf shield shirt singer sister spoon square stable statue " +
  "street student sugar table teacher temple tent theater thread ticket tiger tower train tree tunnel turtle uncle valley vase village wagon wallet watch wheel whistle window winter wolf writer",
);

/** Different words of a text in small letters, four to ten long, in alphabetical order: what is counted. */
export function vocabularyOf(text: string): string[] {
  return [...new Set(text.match(/(?<![\p{L}'-])[a-z]{4,10}(?![\p{L}'-])/gu) ?? [])].sort();
}
