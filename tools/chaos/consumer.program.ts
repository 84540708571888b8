import { DiscoveryClient, ServiceClient, telemetry } from '@sd/client';
import type { AttemptTrace, CallTrace } from '@sd/discovery';
import { subscribe } from 'node:diagnostics_channel';
import { seededRng, type ServiceView } from '@sd/core';
import { setTimeout as wait } from 'node:timers/promises';
import { MemberProgram } from './member-program.ts';
import { OwnWay } from './own-way.ts';
import { pace, service } from './pace.ts';
import { openDiscovery } from './places.ts';

// Calls the service at a steady rate, and writes down what it sees and what becomes of its calls.
const program = new MemberProgram();
const { history, assignment } = program;

const backend = await openDiscovery(assignment.place);
const discovery = new DiscoveryClient({
  backend,
  deadlineMs: pace.deadlineMs,
  attemptTimeoutMs: pace.attemptTimeoutMs,
  follow: {
    firstSnapshotTimeoutMs: 2 * pace.timeoutMs,
    reconnect: { capMs: pace.reconnectCapMs },
    shrinkGuard: { verifyAfterMs: pace.verifyAfterMs },
  },
  rng: seededRng(assignment.seed),
});
const transport = () => new OwnWay(assignment.wayHost);
const orders = new ServiceClient({ service, discovery, transport });

let viewed = '';
telemetry.snapshot.subscribe(({ view }) => see(view));
telemetry.stale.subscribe(({ view }) => see(view));

let calls = 0;
const callOf = new WeakMap<CallTrace, number>();
subscribe('tracing:sd:call:start', (trace) => {
  callOf.set(Object(trace) as CallTrace, calls);
});
subscribe('tracing:sd:attempt:start', (message) => {
  const { call, endpoint, kind } = message as AttemptTrace; // what this channel carries
  const number = call === undefined ? 0 : (callOf.get(call) ?? 0);
  history.write({ kind: 'attempt', call: number, port: endpoint.instance.port, as: kind });
});

const mostBehindMs = 500;
/** Of one who cancels: about what an answer takes. */
const patienceMs = 2;
const underWay = new Set<Promise<void>>();
const leaving = new AbortController();
void program.leaving.then(() => leaving.abort());
// What no channel tells: how many entries are malformed, and how many instances held back.
let malformed = 0;
const look = setInterval(() => {
  const { count, recent } = backend.malformed;
  if (count !== malformed) history.write({ kind: 'malformed', count, problem: recent.at(-1)?.problem ?? '' });
  malformed = count;
  const view = discovery.peek(service);
  if (view !== undefined) see(view);
}, 250);
for (let due = performance.now(); !leaving.signal.aborted; due += pace.callEveryMs) {
  // What was not called while it was frozen is not made up for: a burst would say more of the budget than of the rest.
  due = Math.max(due, performance.now() - mostBehindMs);
  const call = callOnce().finally(() => underWay.delete(call));
  underWay.add(call);
  await wait(Math.max(0, due + pace.callEveryMs - performance.now()), undefined, leaving).catch(
    () => undefined,
  );
}
clearInterval(look);
await Promise.all(underWay);
await orders.close();
await discovery.close();
await backend.close();
program.end();

async function callOnce(): Promise<void> {
  const call = ++calls;
  const method = call % 5 === 0 ? 'POST' : 'GET';
  const caller = new AbortController();
  const cancel = (): void => {
    history.write({ kind: 'cancelled', call });
    caller.abort();
  };
  const patience = call % 7 === 0 ? setTimeout(cancel, patienceMs) : undefined;
  history.write({ kind: 'call', call, method });
  try {
    const path = `/orders/${assignment.who}/${call}`;
    const { instance } = await orders.request(method, path, { signal: caller.signal });
    history.write({ kind: 'answered', call, port: instance.port });
  } catch (error) {
    const code: unknown = Reflect.get(Object(error), 'code');
    history.write({
      kind: 'failed',
      call,
      code: typeof code === 'string' ? code : undefined,
      text: String(error),
    });
  } finally {
    clearTimeout(patience);
  }
}

function see({ state, held, instances }: ServiceView): void {
  const ports = instances.map(({ port }) => port);
  const serving = instances
    .filter(({ status }) => status === 'healthy' || status === 'degraded' || status === 'unknown')
    .map(({ port }) => port);
  const seen = JSON.stringify([state, held, ports, serving]);
  if (seen === viewed) return;
  viewed = seen;
  history.write({ kind: 'view', state, held, ports, serving });
}
