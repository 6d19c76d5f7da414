/** What V8 throws where a signal ended a script: whoever catches anything must let it pass. */
export const isBroken = (thrown: unknown): boolean => (thrown as { code?: string } | null)?.code === "ERR_SCRIPT_EXECUTION_INTERRUPTED";
