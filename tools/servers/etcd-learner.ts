import { EtcdServer } from './etcd-server.ts';

/** A member that was added to a server alone, has no vote yet, and refuses to read and to write. */
export class EtcdLearner extends EtcdServer {
  readonly #first: EtcdServer;
  #cluster = '';

  static async startBeside(first: EtcdServer): Promise<EtcdLearner> {
    return new EtcdLearner(first).launch();
  }

  private constructor(first: EtcdServer) {
    super({});
    this.#first = first;
  }

  override async start(): Promise<void> {
    const { members } = await this.#first.call('cluster/member/add', {
      peerURLs: [this.peerUrl],
      isLearner: true,
    });
    const known = members as readonly { readonly name?: string; readonly peerURLs: readonly string[] }[];
    this.#cluster = known.map(({ name = learner, peerURLs }) => `${name}=${peerURLs[0]}`).join();
    await super.start();
  }

  protected override peers(): { readonly name: string; readonly cluster: string } {
    return { name: learner, cluster: this.#cluster };
  }

  protected override commandLine(): readonly [string, ...string[]] {
    return [...super.commandLine(), '--initial-cluster-state', 'existing'];
  }
}

const learner = 'learner';
