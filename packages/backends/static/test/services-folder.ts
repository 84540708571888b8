import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A folder with files of services, gone after the test. */
export class ServicesFolder {
  readonly path: string;
  #generation = 0;

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
    await this.swapConfigMap(text);
    await symlink(join('..data', 'services.yaml'), this.file());
  }

  /** The next version of the ConfigMap. The old one is removed, as Kubernetes does. */
  async swapConfigMap(text: string): Promise<void> {
    const version = (generation: number): string => `..version-${generation}`;
    this.#generation += 1;
    await mkdir(this.file(version(this.#generation)));
    await this.edit(text, join(version(this.#generation), 'services.yaml'));
    await symlink(version(this.#generation), this.file('..data_tmp'));
    await rename(this.file('..data_tmp'), this.file('..data'));
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
