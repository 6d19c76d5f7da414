/** Notebooks over the Model Context Protocol. Source: https://modelcontextprotocol.io/specification */
import { realpathSync } from "node:fs";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { Sessions } from "./sessions.js";
import { tools } from "./tools.js";

export interface McpOptions {
  /** Default: the process's standard input and output. */
  transport?: Transport;
  version: string;
}

/**
 * Serves a folder's notebooks. Tools read and write nothing outside of it; cells do what their code says. Nothing comes
 * from the network.
 * @returns when the client has gone, every kernel ended
 * @throws where the folder is not there
 */
export async function serveMcp(folder: string, { transport = new StdioServerTransport(), version }: McpOptions): Promise<void> {
  let real: string;
  try {
    real = realpathSync(folder);
  } catch {
    throw new Error(`folder: ${folder} (no such folder)`);
  }
  // Kernels inherit it: a hub's name stands for what is in the cache.
  process.env["HF_HUB_OFFLINE"] = "1";
  const sessions = new Sessions(real);
  const server = new McpServer({ name: "sdtp-notebook", version });
  for (const { name, description, input, readOnly, run } of tools(real, sessions)) {
    server.registerTool(name, { description, inputSchema: input, annotations: { readOnlyHint: readOnly, openWorldHint: false } }, async (given: unknown, extra: { signal: AbortSignal }) => {
      try {
        return { content: [{ type: "text" as const, text: await run(given as Record<string, never>, extra.signal) }] };
      } catch (error) {
        return { isError: true, content: [{ type: "text" as const, text: (error as Error).message }] };
      }
    });
  }
  const closed = new Promise<void>((resolve) => (server.server.onclose = resolve));
  if (transport instanceof StdioServerTransport) process.stdin.once("end", () => void server.close());
  await server.connect(transport);
  await closed;
  await sessions.close();
}
