import type { ChannelOptions, experimental } from '@grpc/grpc-js';
import type { Clock } from '@sd/core';
import type { Endpoint } from '@sd/load-balancers';
import { Connection, type ConnectionOwner, type ConnectionPhase } from './connection.ts';

export interface ConnectionsParts {
  readonly helper: experimental.ChannelControlHelper;
  readonly clock: Clock;
  readonly connectTimeoutMs: number;
  /** A connection opened, failed or was lost. Picks may follow at once. */
  readonly onChange: (endpoint: Endpoint, phase: ConnectionPhase) => void;
}

/** The connections of a channel, one for each endpoint; those of endpoints that stay are kept. */
export class Connections implements ConnectionOwner {
  readonly clock: Clock;
  readonly connectTimeoutMs: number;
  readonly #parts: ConnectionsParts;
  readonly #all = new Map<Endpoint, Connection>();
  /** For the hot path. */
  readonly #bySlot: (Connection | undefined)[] = [];
  readonly #counts: Record<ConnectionPhase, number> = { idle: 0, connecting: 0, failed: 0, ready: 0 };
  #lastError: string | undefined;
  #isOpening = false;

  constructor(parts: ConnectionsParts) {
    this.#parts = parts;
    this.clock = parts.clock;
    this.connectTimeoutMs = parts.connectTimeoutMs;
  }

  get counts(): Readonly<Record<ConnectionPhase, number>> {
    return this.#counts;
  }

  get size(): number {
    return this.#all.size;
  }

  get lastError(): string | undefined {
    return this.#lastError;
  }

  /** Hot path. */
  of(endpoint: Endpoint): Connection | undefined {
    const connection = this.#bySlot[endpoint.slot];
    return connection?.endpoint === endpoint ? connection : undefined;
  }

  /** Connects to it, if it has no connection. The owner of all knows, and is not told. */
  open(endpoint: Endpoint): void {
    this.#isOpening = true;
    this.of(endpoint)?.open();
    this.#isOpening = false;
  }

  /** New ones come before those that left go: a new endpoint of an old address takes its connection over. */
  update(endpoints: readonly Endpoint[], options: ChannelOptions): void {
    const { helper } = this.#parts;
    const left = new Set(this.#all.keys());
    for (const endpoint of endpoints) {
      if (left.delete(endpoint)) continue;
      const { host, port } = endpoint.instance;
      const connection = new Connection(endpoint, helper.createSubchannel({ host, port }, options), this);
      helper.addChannelzChild(connection.subchannel.getChannelzRef());
      this.#all.set(endpoint, connection);
      this.#bySlot[endpoint.slot] = connection;
      this.#counts[connection.phase] += 1;
    }
    for (const endpoint of left) this.#drop(endpoint);
  }

  close(): void {
    for (const endpoint of this.#all.keys()) this.#drop(endpoint);
  }

  entered(connection: Connection, before: ConnectionPhase, error: string | undefined): void {
    this.#counts[before] -= 1;
    this.#counts[connection.phase] += 1;
    if (error !== undefined) this.#lastError = error;
    if (!this.#isOpening) this.#parts.onChange(connection.endpoint, connection.phase);
  }

  #drop(endpoint: Endpoint): void {
    const connection = this.#all.get(endpoint);
    if (connection === undefined) return;
    this.#all.delete(endpoint);
    this.#counts[connection.phase] -= 1;
    if (this.#bySlot[endpoint.slot] === connection) this.#bySlot[endpoint.slot] = undefined;
    this.#parts.helper.removeChannelzChild(connection.subchannel.getChannelzRef());
    connection.close();
  }
}
