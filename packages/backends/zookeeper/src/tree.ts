import { dirname } from 'node:path/posix';
import {
  ConfigValidationError,
  DiscoveryError,
  isServiceName,
  type MalformedEntries,
  type ServiceInstance,
} from '@sd/core';
import type { Abilities } from './abilities.ts';
import type { InstanceCodec } from './codec.ts';
import type { Connection } from './protocol/connection.ts';
import { create, getChildren, getData, multiRead, sync, type Acl, type Stat } from './protocol/requests.ts';
import { hasCode, ZooKeeperError } from './protocol/zookeeper-error.ts';

export interface TreeOptions {
  /** Chroot and root: `/sd/services`. */
  readonly root: string;
  readonly acl: readonly Acl[];
  readonly codec: InstanceCodec;
  readonly abilities: Abilities;
  readonly malformed: MalformedEntries;
}

interface Node {
  readonly data: Buffer;
  readonly stat: Stat;
}

interface ReadOptions {
  /** Instances of the service that could be read before, by id. */
  readonly known?: ReadonlyMap<string, ServiceInstance>;
  readonly watch?: boolean;
}

const unreadable = 'its ACL does not let us read it';

/** A little less than a server takes by default (jute.maxbuffer), as the path and the ACL go with it. */
const maxDataLength = 1_000_000;

/** How many nodes are read with one request. Of 1 MB each, which a stranger may write, they are still one frame. */
const chunkLength = 32;

/** `<root>/<service>/<id>`: where what lies, and how it is read. */
export class Tree {
  readonly #options: TreeOptions;
  /** Services whose node we have made, or found. */
  readonly #prepared = new Map<string, Promise<ZooKeeperError | undefined>>();

  readonly #syncing = new WeakMap<Connection, Promise<void>>();

  constructor(options: TreeOptions) {
    this.#options = options;
  }

  get acl(): readonly Acl[] {
    return this.#options.acl;
  }

  /** @throws {ConfigValidationError} what is more than a node can hold */
  encode(instance: ServiceInstance): string {
    const { service } = instance;
    let text: string;
    try {
      text = this.#options.codec.encode(instance);
    } catch (error) {
      if (error instanceof DiscoveryError) throw error;
      const issue = { field: 'codec', received: `an encode() that threw ${String(error)}`, expected: 'text' };
      throw new ConfigValidationError('ZooKeeperBackend', [issue], { service });
    }
    const bytes = Buffer.byteLength(text);
    if (bytes <= maxDataLength) return text;
    const issue = {
      field: '',
      received: `an instance of ${bytes} bytes`,
      expected: `at most ${maxDataLength} bytes as the codec writes it`,
    };
    throw new ConfigValidationError('Service instance', [issue], { service });
  }

  /** Names of services and ids have no character that means something in a path. */
  pathOf(service: string, id?: string): string {
    const path = `${this.#options.root}/${service}`;
    return id === undefined ? path : `${path}/${id}`;
  }

  /**
   * Makes the node of a service, for all who are about to need it and once: a thousand may register at the same time.
   * Resolves with the denial when we may not: it may be there all the same.
   */
  prepare(connection: Connection, service: string): Promise<ZooKeeperError | undefined> {
    let ready = this.#prepared.get(service);
    if (ready === undefined) {
      const making = this.#makeContainer(connection, this.pathOf(service));
      const ended = (): undefined => undefined;
      ready = making.then(ended, (error: unknown) => {
        if (error instanceof ZooKeeperError && error.code === 'NoAuth') return error;
        this.#prepared.delete(service);
        throw error;
      });
      this.#prepared.set(service, ready);
    }
    return ready;
  }

  /** What was `prepared` then has vanished since. */
  unprepare(service: string, prepared: Promise<unknown>): void {
    if (this.#prepared.get(service) === prepared) this.#prepared.delete(service);
  }

  /** Creates the node and all above it that are missing; ZooKeeper removes them some time after their last child. */
  async #makeContainer(connection: Connection, path: string): Promise<void> {
    const { abilities, acl } = this.#options;
    for (let attempt = 1; ; attempt += 1) {
      const kind = abilities.hasContainers ? 'container' : 'persistent';
      try {
        await abilities.send(connection, create(path, { data: '', acl, kind }));
        return;
      } catch (error) {
        if (hasCode(error, 'NodeExists')) return;
        if (!hasCode(error, 'NoNode') || attempt === maxAttempts || dirname(path) === '/') throw error;
        await this.#makeContainer(connection, dirname(path));
      }
    }
  }

  async listServices(connection: Connection): Promise<readonly string[]> {
    const { root } = this.#options;
    const names = (await this.listChildren(connection, root)).filter(isServiceName);
    const nodes = await this.#read(
      connection,
      names.map((name) => this.pathOf(name)),
    );
    const isDenied = (node: unknown): boolean => hasCode(node, 'NoAuth');
    const isAllDenied = nodes.length > 0 && nodes.every(isDenied);
    return names.filter((service, index) => {
      const node = nodes[index];
      if (!(node instanceof ZooKeeperError)) return (node?.stat.children ?? 0) > 0;
      if (hasCode(node, 'NoNode')) return false;
      if (!isDenied(node) || isAllDenied) throw node;
      this.#options.malformed.report({ service, key: this.pathOf(service), problem: unreadable });
      return false;
    });
  }

  /** Also what another client wrote through another server just now; empty for a node that is not there. */
  async listChildren(connection: Connection, path: string, watch = false): Promise<readonly string[]> {
    const synced = this.#sync(connection);
    const listed = connection.send(getChildren(path, watch));
    const [, children] = await Promise.allSettled([synced, listed]);
    if (children.status === 'fulfilled') return children.value;
    if (hasCode(children.reason, 'NoNode')) return [];
    throw children.reason;
  }

  /**
   * The instances with these ids; undefined for one that is not there, or cannot be read: that is reported.
   * @throws {ZooKeeperError} `NoAuth` when that was known before, or when it is so for all there is
   */
  async readInstances(
    connection: Connection,
    service: string,
    ids: readonly string[],
    { known = new Map(), watch = false }: ReadOptions = {},
  ): Promise<readonly (ServiceInstance | undefined)[]> {
    const { malformed, codec } = this.#options;
    const paths = ids.map((id) => this.pathOf(service, id));
    const nodes = await this.#read(connection, paths, watch);
    const isDenied = nodes.map((node) => hasCode(node, 'NoAuth'));
    const isAllDenied = known.size === 0 && isDenied.every(Boolean);
    const isRevoked = ids.map((id, index) => isDenied[index] === true && (isAllDenied || known.has(id)));
    const revoked = nodes[isRevoked.indexOf(true)];
    if (revoked instanceof ZooKeeperError) throw revoked;
    return ids.map((id, index) => {
      const node = nodes[index];
      const key = paths[index] ?? '';
      if (node === undefined || hasCode(node, 'NoNode')) return undefined;
      if (hasCode(node, 'NoAuth')) {
        malformed.report({ service, key, problem: unreadable });
        return undefined;
      }
      if (node instanceof ZooKeeperError) throw node;
      const { instance, problem } = decoded(codec, node.data, { service, id });
      if (instance === undefined) malformed.report({ service, key, problem });
      return instance;
    });
  }

  /** One for all who read in the same turn: it holds up what is asked after it until the leader has answered. */
  #sync(connection: Connection): Promise<void> {
    let synced = this.#syncing.get(connection);
    if (synced === undefined) {
      synced = connection.send(sync(this.#options.root));
      this.#syncing.set(connection, synced);
      // Until then, nothing of this turn has left.
      setImmediate(() => this.#syncing.delete(connection));
    }
    return synced;
  }

  async #read(
    connection: Connection,
    paths: readonly string[],
    watch = false,
  ): Promise<readonly (Node | ZooKeeperError)[]> {
    const { abilities, root } = this.#options;
    const one = async (path: string): Promise<Node | ZooKeeperError> => {
      try {
        return await connection.send(getData(path, watch));
      } catch (error) {
        if (error instanceof ZooKeeperError) return error;
        throw error;
      }
    };
    if (watch || paths.length === 1 || !abilities.hasMultiRead) return Promise.all(paths.map(one));
    const readings = chunksOf(paths, chunkLength).map((chunk) =>
      abilities.send(
        connection,
        multiRead(
          chunk.map((path) => getData(path)),
          root,
        ),
      ),
    );
    return (await Promise.all(readings)).flat();
  }
}

/** Containers may vanish again while what is in them is made. */
export const maxAttempts = 10;

function decoded(
  codec: InstanceCodec,
  data: Buffer,
  place: { readonly service: string; readonly id: string },
): ReturnType<InstanceCodec['decode']> {
  try {
    return codec.decode(data.toString('utf8'), place);
  } catch (error) {
    return { problem: `the codec threw ${String(error)}` };
  }
}

function chunksOf<T>(values: readonly T[], length: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(values.length / length) }, (_, index) =>
    values.slice(index * length, (index + 1) * length),
  );
}
