/** A repository of the hub, as its name says. */
export interface HubName {
  readonly type: "model" | "dataset";
  /** `org/name` */
  readonly id: string;
  /** Branch, tag or commit. */
  readonly revision: string;
  /** A file of it. */
  readonly file: string | null;
}

const id = /^[A-Za-z0-9_][\w.-]*\/[A-Za-z0-9_][\w.-]*$/;

/**
 * `org/name`, `org/name@revision`, `org/name:file`; null: something else. Whether a folder of that name is here is not looked at.
 * @throws on a file that lies outside of the repository
 */
export function parseHubName(text: string): HubName | null {
  const match = /^([^@:\\]+)(?:@([^:\\]+))?(?::([^\\]+))?$/.exec(text);
  if (!match || !id.test(match[1]!) || match[1]!.includes("..") || match[1]!.includes("--")) return null;
  const [, name, revision = "main", file = null] = match;
  if (file !== null) checkPath(file, text);
  return { type: "model", id: name!, revision, file };
}

/** @throws where a path of a repository would lead out of it */
export function checkPath(path: string, where: string): void {
  const parts = path.split("/");
  if (path.includes("\\") || path.includes("\0") || parts.some((part) => part === "" || part === "." || part === "..")) throw new Error(`hub: ${where}: the path ${JSON.stringify(path)} (must lie in the repository)`);
}
