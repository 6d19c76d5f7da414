import { readFileSync } from "node:fs";
import { PROTOCOL_VERSION, type JsonObject, type KernelInfoReply } from "../../lib/jupyter/messages.js";

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
      version: "5.0.4",
      mimetype: "text/typescript",
      file_extension: ".ts",
      pygments_lexer: "typescript",
      codemirror_mode: { name: "javascript", typescript: true },
      nbconvert_exporter: "script",
    },
    banner: `sdtp-notebook ${version}: TypeScript on Node ${process.versions.node}`,
    debugger: false,
    supported_features: [],
    help_links: [
      { text: "TypeScript", url: "https://www.typescriptlang.org/docs/" },
      { text: "Node.js", url: "https://nodejs.org/docs/latest-v20.x/api/" },
      { text: "danfo.js", url: "https://danfo.jsdata.org/" },
      { text: "Plotly", url: "https://plotly.com/javascript/" },
    ],
  };
  return info as unknown as JsonObject;
}
