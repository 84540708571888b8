import { ConfigValidationError, describeValue } from './validation.ts';

/**
 * Where `@sd/*` reports what no caller waits for. `console` and winston fit as they are; pino wants the details before
 * the message.
 */
export interface DiscoveryLogger {
  debug(message: string, details?: LogDetails): void;
  info(message: string, details?: LogDetails): void;
  warn(message: string, details?: LogDetails): void;
  error(message: string, details?: LogDetails): void;
}

export type LogDetails = Readonly<Record<string, unknown>>;

/** Replaces the logger of everything in this process that was not given one of its own. */
export function setLogger(logger: DiscoveryLogger): void {
  for (const level of ['debug', 'info', 'warn', 'error'] as const) {
    const method: unknown = Reflect.get(Object(logger), level);
    if (typeof method !== 'function') {
      throw new ConfigValidationError('setLogger', [
        { field: level, received: describeValue(method), expected: 'a function (message, details)' },
      ]);
    }
  }
  current = logger;
}

/** Back to the default: warnings and errors on the console, nothing else. */
export function resetLogger(): void {
  current = consoleLogger;
}

const consoleLogger: DiscoveryLogger = {
  debug: () => undefined,
  info: () => undefined,
  warn: (message, details) => writeToConsole('warn', message, details),
  error: (message, details) => writeToConsole('error', message, details),
};

function writeToConsole(level: 'warn' | 'error', message: string, details?: LogDetails): void {
  if (details === undefined) console[level](`[sd] ${message}`);
  else console[level](`[sd] ${message}`, details);
}

let current: DiscoveryLogger = consoleLogger;

/** Follows `setLogger`, also for objects that were made before it was called. */
export const globalLogger: DiscoveryLogger = unfailing(() => current);

/** What is reported on must go on when the logger fails: it is reported on the console then. */
export function unfailing(logger: () => DiscoveryLogger): DiscoveryLogger {
  const method =
    (level: keyof DiscoveryLogger) =>
    (message: string, details?: LogDetails): void => {
      try {
        // `console` would print an undefined that is passed on.
        if (details === undefined) logger()[level](message);
        else logger()[level](message, details);
      } catch (loggerError) {
        consoleLogger[level](message, { ...details, loggerError });
      }
    };
  return { debug: method('debug'), info: method('info'), warn: method('warn'), error: method('error') };
}
