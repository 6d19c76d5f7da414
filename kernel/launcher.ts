/** How the kernel is started: a script beside kernel.json. */
export interface Launcher {
  file: string;
  text: string;
  /** What runs the script. */
  command: string[];
}

/**
 * A start script that outlives an upgrade of Node (it falls back from the Node of the installation to the
 * one on PATH) and says what is wrong where this package was moved or Node is gone: a client only shows
 * that the kernel died, its log shows why.
 * @param node the Node executable of now
 * @param main the kernel's entry point
 */
export function launcher({ node, main, platform }: { node: string; main: string; platform: NodeJS.Platform }): Launcher {
  // cmd.exe would show a window and breaks signals: Windows starts Node itself.
  return platform === "win32"
    ? { file: "start.mjs", text: windowsScript(main), command: [node] }
    : { file: "start.sh", text: shellScript(node, main), command: ["/bin/sh"] };
}

function shellScript(node: string, main: string): string {
  return `#!/bin/sh
# Starts the sdtp kernel. Written by \`sdtp kernel install\`.
node=${quote(node)}
main=${quote(main)}
if [ ! -f "$main" ]; then
  echo "sdtp kernel: $main is gone. If the package was moved, run \\\`npx sdtp kernel install\\\` where it is now." >&2
  exit 1
fi
if [ ! -x "$node" ]; then
  found=$(command -v node)
  if [ -z "$found" ]; then
    echo "sdtp kernel: $node is gone and there is no node on PATH. Install Node 20.19, 22.12, 24 or newer, then run \\\`npx sdtp kernel install\\\`." >&2
    exit 1
  fi
  node=$found
fi
exec "$node" "$main" "$@"
`;
}

function windowsScript(main: string): string {
  return `// Starts the sdtp kernel. Written by \`sdtp kernel install\`.
import { existsSync } from "node:fs";
import { pathToFileURL } from "node:url";
const main = ${JSON.stringify(main)};
if (existsSync(main)) await import(pathToFileURL(main).href);
else {
  console.error(\`sdtp kernel: \${main} is gone. If the package was moved, run \\\`npx sdtp kernel install\\\` where it is now.\`);
  process.exit(1);
}
`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
