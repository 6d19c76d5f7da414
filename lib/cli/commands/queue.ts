import { type Command, InvalidArgumentError } from "commander";
import { formatJson } from "../../format-json.js";
import { interruptSignal } from "../interrupt.js";

interface Options {
  queue?: string;
  queueName: string;
  page?: boolean;
  port: number;
  json?: boolean;
  cancel?: boolean;
}

/** `sdtp queue`: what the whole of a queue is at, in words or on a page. */
export function register(program: Command): void {
  program
    .command("queue")
    .description("what is done, running and failed in a queue, with the command that repeats a failed job alone")
    .option("--queue <url>", "redis://[:PASSWORD@]HOST[:PORT], rediss:// with TLS (default: SDTP_QUEUE)")
    .option("--queue-name <name>", "the queue of this name", "sdtp")
    .option("--cancel", "take back all jobs that wait; those that are being measured end")
    .option("--page", "show it on a page, on this machine alone, until Ctrl-C")
    .option("--port <n>", "of the page; 0: any that is free", port, 8265)
    .option("--json", "print JSON")
    .addHelpText("after", `
Example:
  sdtp queue --queue redis://10.0.0.5 --page`)
    .action(run);
}

async function run({ queue = process.env["SDTP_QUEUE"], queueName, page, port: wanted, json, cancel }: Options): Promise<void> {
  if (!queue) throw new Error("queue: none (give --queue redis://HOST, or set SDTP_QUEUE)");
  const signal = interruptSignal();
  const [{ serveBoard, statusText }, { cancelWaiting, queueStatus }, { connect }, { requireQueueName }] = await Promise.all([import("../../queue/board.js"), import("../../queue/status.js"), import("../../queue/connection.js"), import("../../queue/queues.js")]);
  const prefix = requireQueueName(queueName);
  if (!page || cancel) {
    const { redis, close } = await connect(queue, { signal });
    try {
      if (cancel) return void process.stdout.write(`${await cancelWaiting(redis, prefix)} jobs taken back\n`);
      const status = await queueStatus(redis, prefix);
      process.stdout.write(json ? formatJson(status) : `${statusText(status)}\n`);
    } finally {
      await close();
    }
    return;
  }
  const board = await serveBoard({ url: queue, queueName, port: wanted, signal, onState: (message) => process.stderr.write(`${message}\n`) });
  process.stdout.write(`${board.address}\n`);
  await new Promise<void>((resolve) => (signal.aborted ? resolve() : signal.addEventListener("abort", () => resolve())));
  await board.close();
}

function port(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 65535) throw new InvalidArgumentError("must be a port, 0 to 65535");
  return value;
}
