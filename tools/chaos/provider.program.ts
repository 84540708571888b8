import { seededRng } from '@sd/core';
import { ServiceRegistry } from '@sd/registry';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { MemberProgram } from './member-program.ts';
import { pace, service } from './pace.ts';
import { openRegistry } from './places.ts';

// A server that publishes itself, or is published by the harness where the store is one that only reads.
const program = new MemberProgram();
const { history, assignment } = program;
const { place, port, seed } = assignment;

const server = createServer(({ method, url = '' }, response) => {
  if (method === 'POST') history.write({ kind: 'done', order: url });
  response.end(assignment.who);
}).listen(port, '127.0.0.1');
await once(server, 'listening');
history.write({ kind: 'listening', port });
const close = server.close.bind(server);
server.close = (done) => {
  history.write({ kind: 'closing' });
  return close(done);
};

if (place.store === 'static' || place.store === 'dns' || place.store === 'kubernetes') await bePublished();
else await publish();
program.end();

async function publish(): Promise<void> {
  const backend = await openRegistry(place);
  const registry = new ServiceRegistry({
    backend,
    ttlMs: pace.ttlMs,
    drain: { propagationMs: pace.propagationMs, timeoutMs: pace.drainMs },
    rng: seededRng(seed),
  });
  let isLeaving = false;
  const registered = registry.register({ service, server, host: '127.0.0.1' });
  registered.then(
    (registration) => {
      history.write({ kind: 'state', value: registration.state.value });
      program.tell('listening');
      registration.onStateChange((state) => {
        const code = 'error' in state ? String(Reflect.get(Object(state.error), 'code')) : undefined;
        history.write({ kind: 'state', value: state.value, code });
      });
    },
    (error: unknown) => {
      // Whoever leaves before it is published takes that back.
      if (!isLeaving) throw error;
    },
  );
  await program.leaving;
  isLeaving = true;
  program.tell('leaving');
  await registry.drain();
  if (server.listening) server.close();
  server.closeAllConnections();
  history.write({ kind: 'drained' });
  await registry.close();
  await backend.close();
}

/** As a pod would do it that somebody else publishes. */
async function bePublished(): Promise<void> {
  program.tell('listening');
  await program.leaving;
  program.tell('leaving');
  await wait(pace.propagationMs);
  server.close();
  server.closeIdleConnections();
  await once(server, 'close');
  program.tell('left');
}
