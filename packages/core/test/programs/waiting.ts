import { sleep, systemClock } from '../../src/index.ts';

// Waits in the way that is asked for, and says so if it gets to the end.
const [way] = process.argv.slice(2);
if (way === 'background timer') systemClock.setTimer(() => console.log('fired'), 60_000);
if (way === 'cancelled timer') systemClock.setTimer(() => undefined, 60_000, { keepAlive: true }).cancel();
if (way === 'timer that keeps alive') {
  systemClock.setTimer(() => console.log('fired'), 100, { keepAlive: true });
}
if (way === 'timer that is let go') {
  systemClock.setTimer(() => console.log('fired'), 60_000, { keepAlive: true }).keepAlive?.(false);
}
if (way === 'timer that is kept again') {
  systemClock.setTimer(() => console.log('fired'), 100).keepAlive?.(true);
}
if (way === 'background sleep') void sleep(systemClock, 60_000).then(() => console.log('slept'));
if (way === 'sleep that keeps alive') {
  await sleep(systemClock, 100, { keepAlive: true });
  console.log('slept');
}
if (way === 'aborted sleep') {
  const stop = new AbortController();
  const sleeping = sleep(systemClock, 60_000, { keepAlive: true, signal: stop.signal });
  stop.abort('enough');
  await sleeping.catch(console.log);
}
