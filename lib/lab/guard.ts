import { createHmac, timingSafeEqual } from "node:crypto";
import type { Context, MiddlewareHandler } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import { Refusal } from "./refusal.js";

export interface GuardOptions {
  readonly token: string;
  /** Names, beside those of this machine, by which the server may be called. */
  readonly hosts: readonly string[];
}

/** Names of this machine to itself. A page of another site that makes its own name point here comes with that name. */
const LOCAL = new Set(["localhost", "127.0.0.1", "[::1]"]);

/**
 * Who may speak to the lab: requests to a name of this machine, of no other site's page, with the token. A browser brings the
 * token once, in the address; a cookie stands for it from then on.
 */
export function guard({ token, hosts }: GuardOptions): MiddlewareHandler {
  const allowed = new Set([...LOCAL, ...hosts]);
  const pass = createHmac("sha256", token).update("sdtp lab").digest("hex");
  return async (c, next) => {
    const host = c.req.header("Host") ?? "";
    if (!allowed.has(host.replace(/:\d+$/, ""))) throw new Refusal(403, `Host: ${host || "none"} (the lab answers to ${[...allowed].join(", ")})`);
    const origin = c.req.header("Origin");
    if (origin !== undefined && !sameHost(origin, host)) throw new Refusal(403, `Origin: ${origin} (pages of other sites may not use the lab)`);
    const name = `sdtp-lab-${/:(\d+)$/.exec(host)?.[1] ?? "80"}`;
    const given = tokenOf(c);
    if (given !== undefined && equal(given, token)) {
      if (c.req.query("token") !== undefined) setCookie(c, name, pass, { httpOnly: true, sameSite: "Strict", path: "/" });
    } else if (given !== undefined || !equal(getCookie(c, name) ?? "", pass)) {
      throw new Refusal(403, given === undefined ? "token: none (open the address that `sdtp lab` printed)" : "token: is not the lab's (open the address that `sdtp lab` printed)");
    } else if (!["GET", "HEAD"].includes(c.req.method) && origin === undefined && c.req.header("Sec-Fetch-Site") !== "same-origin") {
      // A cookie goes along with whatever a browser is made to send; browsers say where that came from.
      throw new Refusal(403, "Origin: none (a browser that changes something must say from which page)");
    }
    await next();
    c.header("X-Content-Type-Options", "nosniff");
    c.header("Referrer-Policy", "no-referrer");
    if (!c.res.headers.has("Content-Security-Policy")) c.header("Content-Security-Policy", "frame-ancestors 'self'");
  };
}

function tokenOf(c: Context): string | undefined {
  return /^(?:token|bearer) +(.+)$/i.exec(c.req.header("Authorization") ?? "")?.[1]?.trim() ?? c.req.query("token");
}

function sameHost(origin: string, host: string): boolean {
  try {
    return new URL(origin).host === host;
  } catch {
    return false;
  }
}

/** Takes the same time wherever they differ. */
function equal(a: string, b: string): boolean {
  const digest = (text: string) => createHmac("sha256", "compare").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
