import { InvalidArgumentError } from "commander";

/**
 * `-p name value` as one argument: commander has no options that take two. Other arguments stay.
 */
export function joinParameters(argv: readonly string[]): string[] {
  const joined: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i] ?? "";
    joined.push(argument);
    if ((argument === "-p" || argument === "--parameter") && i + 2 < argv.length) joined.push(JSON.stringify([argv[++i], argv[++i]]));
  }
  return joined;
}

/** Such an argument read, behind `earlier` ones. */
export function pair(text: string, earlier: [string, string][] = []): [string, string][] {
  try {
    return [...earlier, JSON.parse(text) as [string, string]];
  } catch {
    throw new InvalidArgumentError("must be followed by a name and a value");
  }
}
