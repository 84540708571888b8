import type { DiscoveryLogger } from '@sd/core';

/** Keeps warnings, with the message of the error that each was given. */
export class RecordingLogger implements DiscoveryLogger {
  readonly warnings: string[] = [];

  debug(): void {}
  info(): void {}

  warn(message: string, details?: Readonly<Record<string, unknown>>): void {
    const error = details?.['error'];
    this.warnings.push(error instanceof Error ? `${message}: ${error.message}` : message);
  }

  error(message: string): void {
    throw new Error(`Nothing here is an error: ${message}`);
  }
}
