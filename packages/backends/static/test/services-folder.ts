import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A folder with files of services, gone after the test. */
export class ServicesFolder {
  readonly path: string;
  #generation = 0;
  readonly #links = new Set<string>();

  static async create(): Promise<ServicesFolder> {
    const path = await mkdtemp(join(tmpdir(), 'sd-static-'));
    onTestFinished(() => rm(path, { recursive: true, force: true }));
    return new ServicesFolder(path);
  }

  constructor(path: string) {
    this.path = path;
  }

  file(name = 'services.yaml'): string {
    return join(this.path, name);
  }

  /** Writes into the file that is there. */
  async edit(text: string, name?: string): Promise<void> {
    await writeFile(this.file(name), text);
  }

  /** Puts another file in its place, as editors and deployments do. */
  async replace(text: string, name?: string): Promise<void> {
    await writeFile(this.file('new'), text);
    await rename(this.file('new'), this.file(name));
  }

  /** As Kubernetes mounts a ConfigMap: `services.yaml` → `..data/services.yaml`, and `..data` → one version. */
  async mountConfigMap(text: string): Promise<void> {
    await this.swapConfigMap({ 'services.yaml': text });
  }

  /** The next version of the ConfigMap, with these keys. The old one is removed, as Kubernetes does. */
  async swapConfigMap(content: string | Readonly<Record<string, string>>): Promise<void> {
    const keys = typeof content === 'string' ? { 'services.yaml': content } : content;
    const version = (generation: number): string => `..version-${generation}`;
    this.#generation += 1;
    await mkdir(this.file(version(this.#generation)));
    for (const [key, text] of Object.entries(keys))
      await this.edit(text, join(version(this.#generation), key));
    await symlink(version(this.#generation), this.file('..data_tmp'));
    await rename(this.file('..data_tmp'), this.file('..data'));
    for (const key of Object.keys(keys)) {
      if (!this.#links.has(key)) await symlink(join('..data', key), this.file(key));
      this.#links.add(key);
    }
    for (const key of this.#links) {
      if (!(key in keys) && this.#links.delete(key)) await rm(this.file(key));
    }
    await rm(this.file(version(this.#generation - 1)), { recursive: true, force: true });
  }

  async remove(name?: string): Promise<void> {
    await rm(this.file(name), { recursive: true });
  }
}

/** YAML that lists the URLs of one service. */
export function listing(service: string, ...urls: readonly string[]): string {
  return `services:\n  ${service}: [${urls.map((url) => `"${url}"`).join(', ')}]\n`;
}
