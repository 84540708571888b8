import type { HistoryWriter } from './history.ts';

const lookEveryMs = 50;
/** Less than that is nothing that anybody's limits would feel. */
const leastMs = 250;

/** Writes down when this process could not run, as the machine had too much to do. */
export function noteStalls(history: HistoryWriter): NodeJS.Timeout {
  let lookedAt = performance.now();
  return setInterval(() => {
    const lateMs = performance.now() - lookedAt - lookEveryMs;
    lookedAt += lateMs + lookEveryMs;
    if (lateMs > leastMs) history.write({ kind: 'stalled', ms: Math.round(lateMs) });
  }, lookEveryMs).unref();
}
