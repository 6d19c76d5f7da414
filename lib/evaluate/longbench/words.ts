/** What Python's `str.split()` parts words at. */
export const words = (text: string): string[] => text.split(/[\p{White_Space}\x1c-\x1f]+/u).filter((word) => word !== "");
