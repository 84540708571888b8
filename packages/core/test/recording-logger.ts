import type { DiscoveryLogger, LogDetails } from '../src/index.ts';

export interface LogEntry {
  readonly level: keyof DiscoveryLogger;
  readonly message: string;
  readonly details: LogDetails | undefined;
}

/** Keeps what it is told. */
export class RecordingLogger implements DiscoveryLogger {
  readonly entries: LogEntry[] = [];

  get messages(): readonly string[] {
    return this.entries.map(({ level, message }) => `${level}: ${message}`);
  }

  debug(message: string, details?: LogDetails): void {
    this.entries.push({ level: 'debug', message, details });
  }

  info(message: string, details?: LogDetails): void {
    this.entries.push({ level: 'info', message, details });
  }

  warn(message: string, details?: LogDetails): void {
    this.entries.push({ level: 'warn', message, details });
  }

  error(message: string, details?: LogDetails): void {
    this.entries.push({ level: 'error', message, details });
  }
}
