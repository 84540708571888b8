const cleanups = new Set<() => void>();
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
let armed = false;

/** Calls `cleanup`, which must be synchronous, when this process ends, unless the returned function was called before. */
export function onProcessEnd(cleanup: () => void): () => void {
  if (!armed) arm();
  cleanups.add(cleanup);
  return () => void cleanups.delete(cleanup);
}

function arm(): void {
  armed = true;
  process.on('exit', cleanAll);
  for (const signal of signals) process.on(signal, onSignal);
}

/** Without a listener the signal would end the process, and 'exit' would not be emitted. */
function onSignal(signal: NodeJS.Signals): void {
  // Whoever else listens decides what the signal means, and may need the servers for it.
  if (process.listenerCount(signal) > 1) return;
  cleanAll();
  process.off(signal, onSignal);
  process.kill(process.pid, signal);
}

function cleanAll(): void {
  for (const cleanup of cleanups) cleanup();
  cleanups.clear();
}
