import type { Connection } from './protocol/connection.ts';
import { ops, type Request } from './protocol/requests.ts';
import { hasCode } from './protocol/zookeeper-error.ts';

/** What the servers cannot do, as they have told: an old one also closes the connection over it. */
export class Abilities {
  readonly #lacking = new Set<number>();

  /** Recursive watches and several readings at once came with ZooKeeper 3.6. */
  get hasRecursiveWatch(): boolean {
    return !this.#lacking.has(ops.addWatch);
  }

  get hasMultiRead(): boolean {
    return !this.#lacking.has(ops.multiRead);
  }

  get hasRemoveWatches(): boolean {
    return !this.#lacking.has(ops.removeWatches);
  }

  /** Came with 3.5.3. */
  get hasContainers(): boolean {
    return !this.#lacking.has(ops.createContainer);
  }

  /** As `Connection.send()`, and remembers what is not implemented. */
  async send<R>(connection: Connection, request: Request<R>): Promise<R> {
    try {
      return await connection.send(request);
    } catch (error) {
      if (hasCode(error, 'Unimplemented')) this.#lacking.add(request.op);
      throw error;
    }
  }
}
