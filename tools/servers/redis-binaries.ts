import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { cacheFolder, findBinary, isExecutable } from './binaries.ts';

/** The `redis-server` to test with: that of SD_TEST_REDIS_SERVER (a path), else of PATH, else fetched by install.ts. */
export function findRedisServer(env: NodeJS.ProcessEnv = process.env): string | undefined {
  return env.SD_TEST_REDIS_SERVER ?? findBinary('redis-server', env.PATH);
}

export interface RedisBinary {
  /** `redis 7.0` or `valkey 8.0` */
  readonly name: string;
  readonly binary: string;
}

/** Every version at hand, the one of `findRedisServer()` first. `install.ts --all` fetches more of them. */
export function redisServers(): readonly RedisBinary[] {
  const fetched = ['redis-server-8', 'valkey-server-8'].map((name) => join(cacheFolder, 'bin', name));
  const binaries = [findRedisServer(), findBinary('valkey-server'), ...fetched.filter(isExecutable)];
  const found = new Map<string, RedisBinary>();
  for (const binary of binaries) {
    if (binary === undefined) continue;
    const name = versionName(binary);
    if (!found.has(name)) found.set(name, { name, binary });
  }
  return [...found.values()];
}

/** A running Redis to use where a test needs none of its own: SD_TEST_REDIS_URL. */
export function externalRedisUrl(): string | undefined {
  return process.env.SD_TEST_REDIS_URL;
}

function versionName(binary: string): string {
  // Redis server v=7.0.15 sha=…
  const version = execFileSync(binary, ['--version'], { encoding: 'utf8' });
  const [, product, number] = /^(\w+) server v=(\d+\.\d+)/.exec(version) ?? [];
  if (product === undefined) throw new Error(`Not a Redis server: ${binary} says ${version}`);
  return `${product.toLowerCase()} ${number}`;
}
