import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { findBinary } from './binaries.ts';
import { onProcessEnd } from './exit-cleanup.ts';
import { fastFolder } from './fast-folder.ts';
import { freePorts } from './free-ports.ts';
import type { StartOptions, TestServer } from './test-server.ts';
import { until } from './until.ts';

/** One process of a server: a new server is a subclass that says how it is started and when it is ready. */
export abstract class ServerProcess implements TestServer {
  readonly host = '127.0.0.1';
  /** Removed by `stop()`. */
  readonly folder = mkdtempSync(join(fastFolder(), 'sd-server-'));
  /** The part of `folder` that `keepData: false` empties; also the working directory of the process. */
  readonly dataFolder = join(this.folder, 'data');
  readonly #logFile = join(this.folder, 'log');
  readonly #name: string;
  readonly #portCount: number;
  readonly #forget = onProcessEnd(() => this.#end());
  #ports: readonly number[] = [];
  #child: ChildProcess | undefined;
  #frozen = false;

  /** @param name for messages: `redis` */
  protected constructor(name: string, portCount = 1) {
    this.#name = name;
    this.#portCount = portCount;
    mkdirSync(this.dataFolder);
  }

  /** The command and its arguments, for `ports` and `folder`. */
  protected abstract commandLine(): readonly [string, ...string[]];

  /** Whether it serves; a rejection counts as not yet. It must not mistake another server on the port for this one. */
  protected abstract isReady(): Promise<boolean>;

  /** Its ports, the same ones for its whole life. */
  get ports(): readonly number[] {
    return this.#ports;
  }

  get port(): number {
    return this.#ports[0] ?? this.#fail('has no port before it was started');
  }

  get pid(): number {
    return this.#child?.pid ?? this.#fail('has no process');
  }

  /** Whether it can answer: neither killed nor frozen. */
  get isUp(): boolean {
    return isRunning(this.#child) && !this.#frozen;
  }

  /** The first start, on ports that are free. Between the choice and the start another process may take them. */
  protected async launch(): Promise<this> {
    for (let attempt = 1; ; attempt++) {
      this.#ports = await freePorts(this.#portCount);
      try {
        await this.start();
        return this;
      } catch (error) {
        if (attempt < 5 && /address already in use/i.test(this.#log())) {
          await this.kill();
          rmSync(this.#logFile);
          continue;
        }
        await this.stop();
        throw error;
      }
    }
  }

  async start({ keepData = true }: StartOptions = {}): Promise<void> {
    if (isRunning(this.#child)) this.#fail('runs already');
    if (!keepData) {
      rmSync(this.dataFolder, { recursive: true });
      mkdirSync(this.dataFolder);
    }
    const child = this.#spawn();
    try {
      // A server that ended will not become ready: `true` ends the waiting.
      await until('ready', async () => !isRunning(child) || (await this.isReady()));
    } catch (cause) {
      this.#fail('did not become ready', cause);
    }
    if (!isRunning(child)) this.#fail(`ended with ${child.signalCode ?? `code ${child.exitCode}`}`);
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#frozen = false;
    if (child === undefined || !isRunning(child)) return;
    child.ref();
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  }

  async restart(options: Required<StartOptions>): Promise<void> {
    await this.kill();
    await this.start(options);
  }

  /** It answers nothing any more when this returns: each of its threads stops by itself. */
  freeze(): void {
    this.#child?.kill('SIGSTOP');
    this.#frozen = true;
    const deadline = Date.now() + 1_000;
    while (isRunning(this.#child) && !isStopped(this.pid) && Date.now() < deadline);
  }

  thaw(): void {
    this.#child?.kill('SIGCONT');
    this.#frozen = false;
  }

  async stop(): Promise<void> {
    await this.kill();
    this.#end();
    this.#forget();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #spawn(): ChildProcess {
    // A file, not a pipe: a pipe that nobody empties would stop the server.
    const log = openSync(this.#logFile, 'a');
    const [command, ...args] = endingWithParent(this.commandLine());
    const child = spawn(command, args, { cwd: this.dataFolder, stdio: ['ignore', log, log] });
    closeSync(log);
    child.on('error', (error) => appendFileSync(this.#logFile, error.message));
    child.unref();
    this.#child = child;
    return child;
  }

  #end(): void {
    this.#child?.kill('SIGKILL');
    // A process that is just ending may still create a file.
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 });
  }

  #log(): string {
    try {
      return readFileSync(this.#logFile, 'utf8');
    } catch {
      return '';
    }
  }

  #fail(what: string, cause?: unknown): never {
    const log = this.#log().trimEnd().split('\n').slice(-15).join('\n');
    throw new Error(`The ${this.#name} server ${what}. Its log ends with:\n${log || '(nothing)'}`, { cause });
  }
}

/** A command that could not be run has no pid. */
/** As Linux tells it; elsewhere there is nothing to wait for. */
function isStopped(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/task`).every((thread) =>
      /\) [TXZ] /.test(readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8')),
    );
  } catch {
    return process.platform !== 'linux';
  }
}

function isRunning(child: ChildProcess | undefined): boolean {
  return child?.pid !== undefined && child.exitCode === null && child.signalCode === null;
}

/** `setpriv` becomes the command (same pid), which the kernel then kills when this process is killed without warning. */
export function endingWithParent(command: readonly [string, ...string[]]): readonly [string, ...string[]] {
  const setpriv = process.platform === 'linux' ? findBinary('setpriv') : undefined;
  return setpriv === undefined ? command : [setpriv, '--pdeathsig', 'KILL', ...command];
}
