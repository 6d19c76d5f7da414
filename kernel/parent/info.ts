import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { PROTOCOL_VERSION, type JsonObject, type KernelInfoReply } from "../../lib/jupyter/messages.js";

const { version: typescript } = createRequire(import.meta.url)("@tslab/typescript-for-tslab/package.json") as { version: string };
const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")) as { version: string };

/** The content of kernel_info_reply. */
export function kernelInfo(): JsonObject {
  const info: KernelInfoReply = {
    status: "ok",
    protocol_version: PROTOCOL_VERSION,
    implementation: "sdtp",
    implementation_version: version,
    language_info: {
      name: "typescript",
      version: typescript,
      mimetype: "text/typescript",
      file_extension: ".ts",
      pygments_lexer: "typescript",
      // A name that JupyterLab 4 knows; an object with a name of CodeMirror 5 (javascript) would be taken by that.
      codemirror_mode: "typescript",
      nbconvert_exporter: "script",
    },
    banner: `sdtp-notebook ${version}: TypeScript on Node ${process.versions.node}`,
    debugger: true,
    supported_features: ["kernel subshells"],
    help_links: [
      { text: "TypeScript", url: "https://www.typescriptlang.org/docs/" },
      { text: "Node.js", url: `https://nodejs.org/docs/latest-v${process.versions.node.split(".")[0]}.x/api/` },
      { text: "danfo.js", url: "https://danfo.jsdata.org/" },
      { text: "Plotly", url: "https://plotly.com/javascript/" },
    ],
  };
  return info as unknown as JsonObject;
}
