import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { curveKeyPair } from "zeromq";
import { writeWholeSync } from "../files.js";
import type { Channel } from "./messages.js";

const port = z.number().int().nonnegative();

/** What a connection file holds; keys that are not listed are kept. */
const schema = z.looseObject({
  transport: z.enum(["tcp", "ipc"]).default("tcp"),
  ip: z.string().default("127.0.0.1"),
  shell_port: port,
  iopub_port: port,
  stdin_port: port,
  control_port: port,
  hb_port: port,
  key: z.string().default(""),
  signature_scheme: z.string().default("hmac-sha256"),
  kernel_name: z.string().optional(),
  /** Z85 keys of CurveZMQ transport encryption: the client makes them, the kernel binds as curve server. */
  curve_publickey: z.string().optional(),
  curve_secretkey: z.string().optional(),
});

export type ConnectionInfo = z.infer<typeof schema>;

/**
 * Reads a connection file.
 * @throws with the path and the first field that is wrong.
 */
export function readConnectionFile(path: string): ConnectionInfo {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw new Error(`connection file: ${path} (${(error as Error).message})`);
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new Error(`connection file: ${path} (${issue?.path.join(".") ?? ""}: ${issue?.message ?? "invalid"})`);
  }
  return parsed.data;
}

/** Address of a channel, for zeromq's bind and connect. */
export function endpoint(connection: ConnectionInfo, channel: Channel): string {
  const number = connection[`${channel}_port`];
  return connection.transport === "ipc" ? `ipc://${connection.ip}-${number}` : `tcp://${connection.ip}:${number}`;
}

export interface ConnectionOptions {
  /** Default tcp on the loopback address. `ipc` (sockets in the file system) is not there on Windows. */
  transport?: "tcp" | "ipc";
  ip?: string;
  /** Encrypt with CurveZMQ; the kernel must know `curve_publickey`. */
  curve?: boolean;
  kernelName?: string;
}

/** A new connection: free ports, a random key. Another process could take a port before the kernel binds it. */
export async function createConnection(options: ConnectionOptions = {}): Promise<ConnectionInfo> {
  const transport = options.transport ?? "tcp";
  const ip = options.ip ?? (transport === "tcp" ? "127.0.0.1" : join(tmpdir(), `sdtp-${randomUUID().slice(0, 8)}`));
  const ports = transport === "tcp" ? await freePorts(5, ip) : [1, 2, 3, 4, 5];
  const keys = options.curve ? curveKeyPair() : undefined;
  return schema.parse({
    transport,
    ip,
    shell_port: ports[0],
    iopub_port: ports[1],
    stdin_port: ports[2],
    control_port: ports[3],
    hb_port: ports[4],
    key: randomUUID(),
    signature_scheme: "hmac-sha256",
    ...(options.kernelName === undefined ? {} : { kernel_name: options.kernelName }),
    ...(keys ? { curve_publickey: keys.publicKey, curve_secretkey: keys.secretKey } : {}),
  });
}

/** Writes a connection file that only its owner may read: it holds the key. */
export function writeConnectionFile(path: string, connection: ConnectionInfo): void {
  writeWholeSync(path, `${JSON.stringify(connection, null, 2)}\n`, 0o600);
}

async function freePorts(count: number, host: string): Promise<number[]> {
  // All are held open until the last is found, so that no port comes twice.
  const servers = await Promise.all(
    Array.from({ length: count }, () => {
      const server = createServer();
      return new Promise<typeof server>((resolve, reject) => {
        server.once("error", reject);
        server.listen(0, host, () => resolve(server));
      });
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
