import type { AddressInfo } from "node:net";
import { serve, type ServerType } from "@hono/node-server";

/** An HTTP server that listens. */
export interface Listening extends Pick<AddressInfo, "address" | "family" | "port"> {
  /** Stops listening and ends what is open. */
  close(): Promise<void>;
}

/** Listens on a port; 0: any that is free. @throws Node's own error, `EADDRINUSE` where the port is taken */
export async function listen(options: Parameters<typeof serve>[0]): Promise<Listening> {
  const server = await new Promise<ServerType>((resolve, reject) => {
    const starting = serve(options, () => resolve(starting));
    starting.on("error", reject);
  });
  return {
    ...(server.address() as AddressInfo),
    close: () => new Promise((resolve) => {
      server.close(() => resolve());
      if ("closeAllConnections" in server) server.closeAllConnections();
    }),
  };
}
