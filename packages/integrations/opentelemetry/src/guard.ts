import { globalLogger } from '@sd/core';

/**
 * Keeps what goes wrong in telemetry away from the calls that it tells of: Node would end the process for what a listener
 * throws. It is reported instead, once for each place.
 */
export class Guard {
  readonly #reported = new Set<string>();

  listener<Message>(where: string, listener: (message: Message) => void): (message: Message) => void {
    return (message) => {
      try {
        listener(message);
      } catch (error) {
        this.report(where, error);
      }
    };
  }

  run(where: string, action: () => void): void {
    this.listener(where, action)(undefined);
  }

  report(where: string, error: unknown): void {
    if (this.#reported.has(where)) return;
    this.#reported.add(where);
    globalLogger.error(`Telemetry of ${where} failed; it is incomplete from here on`, { error });
  }
}
