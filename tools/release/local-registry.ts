import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ServerProcess } from '../servers/server-process.ts';
import { root } from '../workspace.ts';
import { npm } from './npm.ts';
import { verdaccio } from './toolbox.ts';

/** An empty npm registry: `@sd/*` is what is published to it, and the rest is fetched from the one that npm is configured with. */
export class LocalRegistry extends ServerProcess {
  static async start(): Promise<LocalRegistry> {
    return new LocalRegistry().launch();
  }

  private constructor() {
    super('npm registry');
  }

  get url(): string {
    return `http://${this.host}:${this.port}/`;
  }

  /**
   * Makes every npm below use it, with a cache of its own, and know nothing of the user's tokens. A file, as a shell drops
   * variables such as `npm_config_@sd:registry`.
   */
  get env(): Readonly<Record<string, string>> {
    const userconfig = join(this.folder, 'npmrc');
    const lines = [
      `registry=${this.url}`,
      `@sd:registry=${this.url}`,
      // It takes anyone's word; npm asks for a token before it publishes.
      `//${this.host}:${this.port}/:_authToken=anyone`,
      `cache=${join(this.folder, 'npm-cache')}`,
      'provenance=false',
      'audit=false',
      'fund=false',
      'update-notifier=false',
    ];
    writeFileSync(userconfig, lines.join('\n'));
    return { npm_config_userconfig: userconfig, npm_config_registry: this.url };
  }

  protected override commandLine(): readonly [string, ...string[]] {
    const config = join(this.folder, 'config.yaml');
    writeFileSync(config, JSON.stringify(this.#config()));
    return [process.execPath, verdaccio, '--config', config, '--listen', `${this.host}:${this.port}`];
  }

  protected override async isReady(): Promise<boolean> {
    return (await fetch(new URL('-/ping', this.url))).ok;
  }

  #config(): object {
    const configured = (key: string): string => npm(['config', 'get', key], { cwd: root }).trim();
    const authorities = configured('cafile');
    const ca = existsSync(authorities) ? { ca: readFileSync(authorities, 'utf8') } : {};
    return {
      storage: this.dataFolder,
      auth: { htpasswd: { file: join(this.folder, 'htpasswd'), max_users: -1 } },
      uplinks: {
        upstream: { url: configured('registry'), maxage: '1h', ...ca },
      },
      packages: {
        '@sd/*': { access: '$all', publish: '$all' },
        '**': { access: '$all', proxy: 'upstream' },
      },
      web: { enable: false },
      max_body_size: '50mb',
      log: { type: 'stdout', format: 'pretty', level: 'warn' },
    };
  }
}
