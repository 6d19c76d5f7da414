/** Between a unit's name and that of its part. */
const BAR = " | ";

/** The key of one of several graphs that are needed together and hold the weights once among them. */
export const partOf = (unit: string, part: string): string => `${unit}${BAR}${part}`;

/** What a graph is needed together with: the name that its key begins with, or its key. */
export const partsUnit = (key: string): string => key.split(BAR)[0]!;
