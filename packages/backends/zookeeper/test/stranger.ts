import { systemClock } from '@sd/core';
import { superUser } from '../../../../tools/servers/index.ts';
import { ConnectError } from '../src/protocol/connect-error.ts';
import { Connection } from '../src/protocol/connection.ts';
import { newSession } from '../src/protocol/handshake.ts';
import { closeSession, exists, type Request } from '../src/protocol/requests.ts';

interface Place {
  readonly host: string;
  readonly port: number;
}

/** Somebody who may do everything, over a connection of its own for each thing. */
export class Stranger {
  readonly #places: () => readonly Place[];

  /** @param places servers that are up */
  constructor(places: () => readonly Place[]) {
    this.#places = places;
  }

  async do<R>(request: Request<R>): Promise<R> {
    const [scheme, credentials] = ['digest', superUser];
    return this.#with({ auth: { scheme, credentials } }, (connection) => connection.send(request));
  }

  /** Ends the session that a node hangs on, as if it had expired. Its owner is quick to take it back: then once more. */
  async endSessionOf(path: string): Promise<void> {
    const { ephemeralOwner: id } = await this.do(exists(path));
    for (;;) {
      try {
        await this.#with({ id, endSession: false }, (connection) => connection.send(closeSession));
      } catch (error) {
        if (error instanceof ConnectError && error.kind === 'expired') return;
      }
    }
  }

  /** Takes over a session for a moment, over which the server closes the connection that it had. */
  async interrupt(id: bigint, place: Place): Promise<void> {
    try {
      await this.#with({ id, place, endSession: false }, async () => undefined);
    } catch (error) {
      if (!(error instanceof ConnectError) || error.kind !== 'expired') throw error; // it has just ended
    }
  }

  async #with<R>(
    {
      auth,
      id,
      place = this.#places()[0],
      endSession = true,
    }: {
      readonly auth?: { readonly scheme: string; readonly credentials: string };
      readonly id?: bigint;
      readonly place?: Place | undefined;
      readonly endSession?: boolean;
    },
    work: (connection: Connection) => Promise<R>,
  ): Promise<R> {
    if (place === undefined) throw new Error('no server is up');
    const session = newSession();
    if (id !== undefined) Object.assign(session, { id, password: passwordOf(id) });
    const limits = { sessionTimeoutMs: 2_000, connectTimeoutMs: 5_000, silenceMs: 5_000 };
    const { host, port } = place;
    const options = { host, port, session, auth, clock: systemClock, ...limits };
    const connection = await Connection.open(options, new AbortController().signal);
    try {
      return await work(connection);
    } finally {
      connection.close({ endSession });
    }
  }
}

/** As servers make it: 16 bytes of Java's `Random`, seeded with the id and a constant. */
function passwordOf(id: bigint): Buffer {
  const mask = (1n << 48n) - 1n;
  const multiplier = 0x5deece66dn;
  let seed = (BigInt.asUintN(64, id ^ 0xb3415c00n) ^ multiplier) & mask;
  const password = Buffer.alloc(16);
  for (let at = 0; at < 16; at += 4) {
    seed = (seed * multiplier + 0xbn) & mask;
    password.writeInt32LE(Number(BigInt.asIntN(32, seed >> 16n)), at);
  }
  return password;
}
