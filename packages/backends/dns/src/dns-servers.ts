import { getServers } from 'node:dns';
import { isIP } from 'node:net';
import { addressOf, type Clock } from '@sd/core';

export interface ServerAddress {
  /** An IP address. */
  readonly host: string;
  readonly port: number;
}

/** How long a server that did not answer is asked last, in milliseconds. */
const distrustMs = 30_000;

/** Which servers to ask, in what order. */
export class DnsServers {
  readonly #given: readonly string[] | undefined;
  readonly #clock: Clock;
  readonly #failedAt = new Map<string, number>();
  readonly #answeredAt = new Map<string, number>();

  /** @param given default: those of the system, or of `dns.setServers()` */
  constructor(given: readonly string[] | undefined, clock: Clock) {
    this.#given = given;
    this.#clock = clock;
  }

  /** As configured, but those come last that did not answer of late: else each question would wait for them again. */
  inOrder(): readonly ServerAddress[] {
    const now = this.#clock.monotonic();
    const servers = (this.#given ?? getServers()).map(parseServer).filter((server) => server !== undefined);
    const isDoubtful = (server: ServerAddress): boolean =>
      now - (this.#failedAt.get(addressOf(server)) ?? -Infinity) < distrustMs;
    return [...servers.filter((server) => !isDoubtful(server)), ...servers.filter(isDoubtful)];
  }

  answered(server: ServerAddress): void {
    const name = addressOf(server);
    this.#failedAt.delete(name);
    this.#answeredAt.set(name, this.#clock.monotonic());
  }

  /**
   * Only silence is worth an order of its own: what fails at once costs nobody time. And who has answered others since
   * is not silent, but about that name alone.
   */
  failed(server: ServerAddress, askedAt: number, timeoutMs: number): void {
    const name = addressOf(server);
    const now = this.#clock.monotonic();
    if (now - askedAt < timeoutMs / 2 || (this.#answeredAt.get(name) ?? -Infinity) >= askedAt) return;
    this.#failedAt.set(name, now);
  }
}

/** `10.0.0.2`, `10.0.0.2:53`, `::1` or `[::1]:53`, as Node writes them. */
export function parseServer(text: string): ServerAddress | undefined {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = bracketed ?? plain ?? text;
  const number = Number(port ?? 53);
  return isIP(host) === 0 || number < 1 || number > 65_535 ? undefined : { host, port: number };
}
