import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onProcessEnd } from './exit-cleanup.ts';

/** A file for each port that a living process has been given. */
const folder = join(tmpdir(), 'sd-ports');

/** Those of this process. */
const own = new Set<number>();
let isArmed = false;

/** A process that starts one server after the other gives back those of long ago. */
const mostOwn = 2_000;

/**
 * Ports of 127.0.0.1 that nobody listens on now, and that no other process gets here as long as this one lives: the port
 * of a server that is down is not free.
 *
 * They are below the range from which the system takes the ports of outgoing connections. While a server is down,
 * a client that keeps trying its port would otherwise connect to itself one day, and take the port away.
 */
export async function freePorts(count: number): Promise<readonly number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = randomInt(15_000, 32_000);
    if (!reservePort(port)) continue;
    if (await isFree(port)) ports.push(port);
    else giveBack(port);
  }
  return ports;
}

/** For this process, as long as it lives. @returns whether no other has it */
export function reservePort(port: number): boolean {
  if (!isArmed) onProcessEnd(() => own.forEach(giveBack));
  isArmed = true;
  mkdirSync(folder, { recursive: true });
  const holder = holderOf(port);
  if (holder !== undefined && isAlive(holder)) return false;
  try {
    if (holder !== undefined) rmSync(fileOf(port), { force: true });
    writeFileSync(fileOf(port), String(process.pid), { flag: 'wx' });
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    return false; // another process was faster
  }
  own.add(port);
  const [oldest] = own;
  if (own.size > mostOwn && oldest !== undefined) giveBack(oldest);
  return true;
}

function giveBack(port: number): void {
  own.delete(port);
  rmSync(fileOf(port), { force: true });
}

const fileOf = (port: number): string => join(folder, String(port));

/** Its process id. */
function holderOf(port: number): number | undefined {
  try {
    return Number(readFileSync(fileOf(port), 'utf8'));
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM'; // somebody else's
  }
}

const codeOf = (error: unknown): unknown => Reflect.get(Object(error), 'code');

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
