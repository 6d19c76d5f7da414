import { hostname } from "node:os";

/** What this machine is called in rows: `SDTP_MACHINE`, else its host name. */
export function machineName(): string {
  return process.env["SDTP_MACHINE"] || hostname();
}
