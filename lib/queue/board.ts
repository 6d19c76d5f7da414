import { duration } from "../report/duration.js";
import { escapeHtml } from "../escape-html.js";
import { connect, type ConnectOptions } from "./connection.js";
import { kinds, openQueue, providers, requireQueueName } from "./queues.js";
import { type QueueStatus, queueStatus } from "./status.js";

export interface BoardOptions extends ConnectOptions {
  readonly url: string;
  readonly queueName: string;
  /** 0: any that is free. */
  readonly port: number;
}

/** Where a page is shown, until it is closed. */
export interface Board {
  readonly address: string;
  close(): Promise<void>;
}

/**
 * A page with the whole of a queue, and bull-board beside it for single jobs; on this machine alone, and for reading alone.
 * @throws where the queue cannot be reached, or the port is taken
 */
export async function serveBoard({ url, queueName, port, ...options }: BoardOptions): Promise<Board> {
  const prefix = requireQueueName(queueName);
  const connection = await connect(url, options);
  const [{ Hono }, { listen }, { serveStatic }, { createBullBoard }, { BullMQAdapter }, { HonoAdapter }] = await Promise.all([
    import("hono"), import("../listen.js"), import("@hono/node-server/serve-static"), import("@bull-board/api"), import("@bull-board/api/bullMQAdapter"), import("@bull-board/hono"),
  ]);
  const queues = await Promise.all(kinds.flatMap((kind) => providers.map((device) => openQueue(connection.redis, prefix, kind, device))));
  const adapter = new HonoAdapter(serveStatic);
  createBullBoard({ queues: queues.map((queue) => new BullMQAdapter(queue, { readOnlyMode: true })), serverAdapter: adapter });
  adapter.setBasePath("/jobs");
  const app = new Hono();
  // A page of another site must not read it through a name that it lets point here, and nobody changes anything.
  app.use(async (context, next) => {
    if (!/^(127\.0\.0\.1|localhost|\[::1\]):\d+$/.test(context.req.header("host") ?? "")) return context.text("host: must be localhost", 403);
    if (context.req.method !== "GET" && context.req.method !== "HEAD") return context.text("method: must be GET", 405);
    await next();
    context.header("X-Frame-Options", "DENY");
    context.header("X-Content-Type-Options", "nosniff");
    return undefined;
  });
  app.get("/", async (context) => context.html(page(await queueStatus(connection.redis, prefix), `${connection.shown}, ${prefix}`)));
  app.get("/status", async (context) => context.json(await queueStatus(connection.redis, prefix)));
  app.route("/jobs", adapter.registerPlugin());
  const server = await listen({ fetch: app.fetch, hostname: "127.0.0.1", port }).catch(async (error: NodeJS.ErrnoException) => {
    await connection.close();
    throw new Error(`port: ${port} (${error.code === "EADDRINUSE" ? "is taken" : error.message})`);
  });
  return {
    address: `http://127.0.0.1:${server.port}/`,
    async close() {
      await server.close();
      await Promise.race([Promise.all(queues.map((queue) => queue.close())), new Promise((resolve) => setTimeout(resolve, 1000))]);
      await connection.close();
    },
  };
}

/** What is in a queue, in words. */
export function statusText({ waiting, running, done, failedInAll, secondsLeft, workers, failed }: QueueStatus): string {
  return [
    `${done} done, ${running.length} running, ${waiting} waiting, ${failedInAll} failed${secondsLeft === null ? "" : secondsLeft > 0 ? `, about ${duration(secondsLeft)} left` : ""}`,
    ...workers.map(({ machine, placements, doing }) => `worker ${machine} (${placements.join(", ")}): ${Object.values(doing).join("; ") || "waits"}`),
    ...running.map(({ label, machine, share, at }) => `running: ${label}${machine === null ? "" : ` on ${machine}`}${share === null ? "" : `, ${Math.floor(100 * share)} %: ${at}`}`),
    ...failed.map(({ label, error, command }) => `failed: ${label}: ${error}${command === null ? "" : `\n  alone: ${command}`}`),
  ].join("\n");
}

function page(status: QueueStatus, name: string): string {
  const { waiting, running, done, failedInAll, secondsLeft, workers, failed } = status;
  const all = waiting + running.length + done + failedInAll;
  const cell = (text: string | null) => `<td>${escapeHtml(text ?? "")}</td>`;
  const table = (caption: string, heads: readonly string[], rows: readonly string[]) =>
    rows.length === 0 ? "" : `<table><caption>${caption}</caption><thead><tr>${heads.map((head) => `<th scope="col">${head}</th>`).join("")}</tr></thead><tbody>${rows.join("")}</tbody></table>`;
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="3"><title>${done} of ${all} jobs done</title><style>
:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem}progress{width:100%;height:1.2rem}
table{border-collapse:collapse;width:100%;margin-top:1.5rem}caption{text-align:left;font-weight:600;padding:.3rem 0}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid color-mix(in srgb,currentColor 25%,transparent);vertical-align:top}
code{white-space:pre-wrap;overflow-wrap:anywhere}</style></head><body><main>
<h1>Queue ${escapeHtml(name)}</h1>
<progress aria-label="jobs done" value="${done + failedInAll}" max="${Math.max(1, all)}"></progress>
<p>${done} done, ${running.length} running, ${waiting} waiting, ${failedInAll} failed${secondsLeft === null ? "" : secondsLeft > 0 ? `, about ${duration(secondsLeft)} left` : ""}. <a href="/jobs">All jobs</a></p>
${table("Workers", ["Machine", "Devices", "At"], workers.map(({ machine, placements, doing }) => `<tr>${cell(machine)}${cell(placements.join(", "))}${cell(Object.values(doing).join("; ") || "waits")}</tr>`))}
${table("Running", ["Job", "On", "Done", "At"], running.map(({ label, machine, share, at }) => `<tr>${cell(label)}${cell(machine)}${cell(share === null ? null : `${Math.floor(100 * share)} %`)}${cell(at)}</tr>`))}
${table("Failed", ["Job", "Why", "To repeat it alone"], failed.map(({ label, error, command }) => `<tr>${cell(label)}${cell(error)}<td><code>${escapeHtml(command ?? "")}</code></td></tr>`))}
</main></body></html>`;
}
