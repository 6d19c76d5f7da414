/** What Node and V8 print when they end, which the error of the cell says in one sentence. */
const LAST_WORDS = /^(<--- |FATAL ERROR: |----- Native stack trace|#\n# Fatal error in )/m;
/** What Node prints because the kernel's watchdog holds a session of the inspector. */
const DEBUGGER = /^Waiting for the debugger to disconnect\.\.\.\n?/gm;

/** Leaves out what nobody can use: the last words of a process that crashes, and talk of the debugger. */
export function nativeOutput(): (text: string) => string {
  let ended = false;
  return (text) => {
    if (ended) return "";
    const shown = text.replace(DEBUGGER, "");
    const end = LAST_WORDS.exec(shown);
    if (!end) return shown;
    ended = true;
    return shown.slice(0, end.index).trimEnd();
  };
}
