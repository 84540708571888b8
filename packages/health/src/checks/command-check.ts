import { validate } from '@sd/core';
import { spawn } from 'node:child_process';
import { basename } from 'node:path';
import type { Readable } from 'node:stream';
import * as v from 'valibot';
import { finding, messageOf, unhealthy } from '../finding.ts';
import type { CheckResult, CheckTarget, HealthCheck } from '../health-check.ts';
import { exchange, type Exchange } from './exchange.ts';

export interface CommandCheckOptions {
  /** The program and its arguments, as they are: no shell reads them. */
  readonly argv: readonly [file: string, ...args: string[]];
  /** Says that running a program is meant: what this process may do, the program may do. */
  readonly enabled: true;
  /** Environment of the program, which has `SD_HOST` and `SD_PORT` of the target besides. Default: our own. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Where it runs. Default: where we do. */
  readonly cwd?: string | undefined;
}

/**
 * Runs a program and reads its exit code, as Nagios and Consul do: 0 is healthy, 1 degraded, all others unhealthy. The
 * end of its output is the detail. When the signal aborts it is killed (SIGKILL); what it started itself is not.
 * @throws {ConfigValidationError} naming each wrong option, or `enabled` when it is not true
 */
export function commandCheck(options: CommandCheckOptions): HealthCheck {
  validate('commandCheck', optionsSchema, options);
  const { env, cwd } = options;
  const [file, ...args] = options.argv;
  return {
    name: `command ${basename(file)}`,
    check: (target, { signal }) => exchange(signal, (end) => run({ file, args, env, cwd }, target, end)),
  };
}

const argumentText = 'a string without NUL';
const argument = v.pipe(v.string(argumentText), v.excludes('\0', argumentText));
const argvText = 'an array: the program and its arguments';

const optionsSchema = v.strictObject(
  {
    argv: v.pipe(
      v.array(argument, argvText),
      v.check(([file]) => file !== undefined && file !== '', argvText),
    ),
    enabled: v.literal(true, 'true, to say that running a program is meant'),
    env: v.optional(v.record(argument, argument, 'an object of strings')),
    cwd: v.optional(argument),
  },
  'an object with argv and enabled',
);

interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>> | undefined;
  readonly cwd: string | undefined;
}

function run(
  { file, args, env, cwd }: Command,
  target: CheckTarget,
  end: (result: CheckResult) => void,
): Exchange {
  const child = spawn(file, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...(env ?? process.env), SD_HOST: target.host, SD_PORT: String(target.port) },
    windowsHide: true,
    ...(cwd === undefined ? {} : { cwd }),
  });
  let output = '';
  // Before all else: without it, an error would end this process.
  child.on('error', (error) => end(unhealthy(`cannot run ${file}: ${messageOf(error)}`)));
  // There are none when this process has no file descriptors left.
  const streams: readonly (Readable | null | undefined)[] = [child.stdout, child.stderr];
  for (const stream of streams) {
    stream?.setEncoding('utf8');
    stream?.on('data', (text: string) => (output = (output + text).slice(-outputLength)));
  }
  // Not 'close', for which a process in the background that inherited the output could keep us waiting. What the program
  // itself wrote before it exited is here in this turn of the event loop.
  child.once('exit', (code, signal) => {
    setImmediate(() => end(judge(code, signal, output)));
  });
  return {
    close() {
      child.kill('SIGKILL');
      for (const stream of streams) stream?.destroy();
    },
  };
}

/** Leaves room in the detail for the exit code. */
const outputLength = 180;

function judge(code: number | null, signal: NodeJS.Signals | null, output: string): CheckResult {
  const text = output.trim() === '' ? '' : `: ${output.trim()}`;
  if (code === 0) return finding('healthy', `exit 0${text}`);
  if (code === 1) return finding('degraded', `exit 1${text}`);
  return unhealthy(`${code === null ? `killed by ${String(signal)}` : `exit ${code}`}${text}`);
}
