import type { OpenAttempt } from '@sd/discovery';
import type { Dispatcher } from 'undici';

type Headers = Dispatcher.DispatchOptions['headers'];
type Value = string | string[] | undefined;

/** Hot path. Those of the caller, and what is sent along; what the caller says stands, in capitals or not. */
export function requestHeaders(own: Headers, attempt: OpenAttempt, deadlineHeader: string | false): Headers {
  const traced = attempt.headers;
  const { timeoutMs } = attempt;
  // Who waits for ever has nothing to say.
  const saysDeadline = deadlineHeader !== false && timeoutMs < Infinity;
  if (!saysDeadline && traced === undefined) return own;
  const deadline = saysDeadline ? [deadlineHeader, String(Math.floor(timeoutMs))] : [];
  if (own === undefined && traced === undefined) return deadline; // an array that grows takes room for many
  const all = flat(own);
  const theirs = all.length;
  if (saysDeadline && !has(all, theirs, deadlineHeader)) all.push(...deadline);
  for (const name in traced) if (!has(all, theirs, name)) all.push(name, traced[name]);
  return all as string[]; // undici takes lists of values there too, which its types do not say
}

/** Names and values in turn, in an array of our own. */
function flat(own: Headers): Value[] {
  if (own === null || own === undefined) return [];
  if (Array.isArray(own)) return own.slice();
  const all: Value[] = [];
  if (Symbol.iterator in own) for (const [name, value] of own) all.push(name, value);
  else for (const name of Object.keys(own)) all.push(name, own[name]);
  return all;
}

/** Whether a name is among the first. */
function has(all: readonly Value[], count: number, name: string): boolean {
  for (let index = 0; index < count; index += 2) {
    const known = all[index];
    if (typeof known !== 'string' || known.length !== name.length) continue;
    if (known === name || known.toLowerCase() === name.toLowerCase()) return true;
  }
  return false;
}
