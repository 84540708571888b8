/**
 * Registers, prints `ready`, and waits for a signal; prints each request that the store gets.
 * Arguments: `slow` makes draining take for ever, `listener` adds a signal listener of the program's own, `once` one that
 * listens once and takes longer than the draining, `idle` makes a second registry that has nothing to drain.
 */
import { ServiceRegistry } from '../../src/index.ts';
import { never, ScriptedBackend } from '../scripted-backend.ts';

const wishes = process.argv.slice(2);
const backend = new ScriptedBackend();
const print = (what: string) => () => console.log(what);
backend.onUpdate = ({ status }) => console.log(status);
backend.onRelease = print('released');
if (wishes.includes('listener')) process.on('SIGTERM', print('heard'));
if (wishes.includes('once')) process.once('SIGTERM', () => setTimeout(() => process.exit(3), 1_000));

const registry = new ServiceRegistry({
  backend,
  shutdownSignals: ['SIGTERM', 'SIGINT'],
  drain: { propagationMs: 10, ...(wishes.includes('slow') ? { finish: never } : {}) },
});
if (wishes.includes('idle')) new ServiceRegistry({ backend, shutdownSignals: ['SIGTERM'] });
await registry.register({ service: 'orders', host: '127.0.0.1', port: 8080 });
const work = setInterval(() => undefined, 1_000);
if (wishes.includes('listener')) setTimeout(() => clearInterval(work), 2_000);
console.log('ready');
