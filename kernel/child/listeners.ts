type Listeners = Record<string, (argument: never) => void>;

/**
 * Listens to events of the process, for as long as it lives: a cell that removes all listeners, as programs do
 * before they set their own, must not cut itself off from the kernel.
 * @returns puts listeners back that are missing; call after each cell
 */
export function guardListeners(listeners: Listeners): () => void {
  const { removeAllListeners } = process;
  const listen = (...except: string[]) => {
    for (const [event, listener] of Object.entries(listeners)) {
      if (!except.includes(event) && !process.listeners(event as NodeJS.Signals).includes(listener as never)) process.on(event, listener as never);
    }
  };
  listen();
  process.removeAllListeners = function (...args) {
    // Node itself listens for new listeners, to start signals that are listened to.
    const events = args.length > 0 ? args : process.eventNames().filter((name) => name !== "newListener" && name !== "removeListener");
    for (const event of events) removeAllListeners.call(process, event);
    // Node itself takes those of SIGINT away while a script runs, and puts them back.
    listen("SIGINT");
    return process;
  };
  return () => listen();
}
