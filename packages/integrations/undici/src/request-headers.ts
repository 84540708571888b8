import type { OpenAttempt } from '@sd/discovery';
import type { Dispatcher } from 'undici';

type Headers = Dispatcher.DispatchOptions['headers'];
type Value = string | string[] | undefined;

/** Hot path. Those of the caller, and what is sent along; what the caller says stands, in capitals or not. */
export function requestHeaders(own: Headers, attempt: OpenAttempt, deadlineHeader: string | false): Headers {
  const traced = attempt.headers;
  const { timeoutMs } = attempt;
  // Who waits for ever has nothing to say.
  const deadline = deadlineHeader === false || timeoutMs === Infinity ? undefined : deadlineHeader;
  if (deadline === undefined && traced === undefined) return own;
  const value = String(Math.floor(timeoutMs));
  // An array that grows takes room for many.
  if (own === undefined && traced === undefined && deadline !== undefined) return [deadline, value];
  const all = flat(own);
  const theirs = all.length;
  if (deadline !== undefined && !has(all, theirs, deadline)) all.push(deadline, value);
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
