import { EtcdServer, type EtcdServerOptions } from './etcd-server.ts';
import { freePorts } from './free-ports.ts';
import { ServerGroup, startAll } from './server-group.ts';
import { until } from './until.ts';

const memberCount = 3;

/** Three members. A leader that is gone is replaced within a second. */
export class EtcdCluster extends ServerGroup {
  readonly nodes: readonly EtcdServer[];
  protected readonly members: readonly EtcdServer[];

  static async start(options: Omit<EtcdServerOptions, 'tls'> = {}): Promise<EtcdCluster> {
    for (let attempt = 1; ; attempt++) {
      const peerPorts = await freePorts(memberCount);
      try {
        const nodes = await startAll(memberCount, (index) => Member.start({ ...options, index, peerPorts }));
        const cluster = new EtcdCluster(nodes);
        await cluster.waitUntilOk();
        return cluster;
      } catch (error) {
        // Between the choice of a port and the start another process may take it, and the others know it by then.
        if (attempt === 3) throw error;
      }
    }
  }

  private constructor(nodes: readonly EtcdServer[]) {
    super();
    this.nodes = nodes;
    this.members = nodes;
  }

  /** The live member that the others follow; waits while there is none. */
  async leader(): Promise<EtcdServer> {
    return until('the live members agree on a leader among them', async () => {
      const views = await Promise.all(this.#live.map(statusOf));
      const leader = views.find(({ id, leader }) => id === leader);
      return views.every((view) => view.leader === leader?.id) ? leader?.node : undefined;
    });
  }

  override async waitUntilOk(): Promise<void> {
    await this.leader();
    await this.#live[0]?.requireUsers();
    await until('the live members answer', async () => {
      await Promise.all(this.#live.map((node) => node.revision()));
      return true;
    });
  }

  get #live(): readonly EtcdServer[] {
    return this.nodes.filter(({ isUp }) => isUp);
  }
}

interface MemberOptions extends EtcdServerOptions {
  readonly index: number;
  readonly peerPorts: readonly number[];
}

class Member extends EtcdServer {
  readonly #index: number;
  readonly #peerPorts: readonly number[];

  static override async start(options: MemberOptions): Promise<Member> {
    return new Member(options).launch();
  }

  constructor({ index, peerPorts, ...options }: MemberOptions) {
    super(options);
    this.#index = index;
    this.#peerPorts = peerPorts;
  }

  protected override get peerUrl(): string {
    return this.#urlOf(this.#index);
  }

  protected override peers() {
    const cluster = this.#peerPorts.map((_, index) => `member-${index}=${this.#urlOf(index)}`).join();
    return { name: `member-${this.#index}`, cluster };
  }

  /** Users are those of all members. */
  protected override async afterStart(): Promise<void> {}

  /** Members share their cores with all else that is tested. */
  protected override get electionMs(): number {
    return 500;
  }

  #urlOf(index: number): string {
    return `http://${this.host}:${this.#peerPorts[index]}`;
  }
}

async function statusOf(node: EtcdServer) {
  const { header, leader } = await node.call('maintenance/status');
  return { node, id: String(Reflect.get(Object(header), 'member_id')), leader: String(leader) };
}
