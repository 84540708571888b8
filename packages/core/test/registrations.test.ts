import { expect, it, vi } from 'vitest';
import {
  createInstance,
  LeaseLostError,
  ManualClock,
  Registrations,
  type HeldLease,
  type LeaseLoss,
  type ServiceInstance,
} from '../src/index.ts';

const orders = createInstance({ service: 'orders', id: 'orders-1', host: '10.0.0.1', port: 80 }, 0);

/** Registrations in a store that answers when the test lets it. */
function scene() {
  const clock = new ManualClock();
  const store = new Map<string, ServiceInstance>();
  const held: HeldLease[] = [];
  const ended: HeldLease[] = [];
  let gate = Promise.resolve();
  let answer = Promise.resolve();
  const outcome: { loss: LeaseLoss | undefined } = { loss: undefined };
  const registrations = new Registrations({
    owner: 'The scripted backend',
    clock,
    async place(instance) {
      await gate;
      store.set(instance.id, instance);
      await answer;
      return {
        async write(changed) {
          if (outcome.loss === undefined) store.set(changed.id, changed);
          return outcome.loss;
        },
        remove: async () => void store.delete(instance.id),
      };
    },
    onHeld: (lease) => held.push(lease),
    onEnded: (lease) => ended.push(lease),
  });
  const holdUp = (): (() => void) => {
    let open = (): void => undefined;
    gate = new Promise((resolve) => (open = resolve));
    return open;
  };
  const holdUpAnswer = (): (() => void) => {
    let open = (): void => undefined;
    answer = new Promise((resolve) => (open = resolve));
    return open;
  };
  const register = (options: { ttl?: number; signal?: AbortSignal } = {}) =>
    registrations.register(orders, { ttl: 1_000, ...options });
  return { clock, store, held, ended, outcome, registrations, holdUp, holdUpAnswer, register };
}

it('places an instance and hands its lease on to be renewed', async () => {
  const { register, store, held } = scene();
  const lease = await register();
  expect(held).toEqual([lease]);
  expect(store.get('orders-1')).toEqual(orders);
});

it.each([0, -1, Number.NaN, Infinity, 4e10, '1'])('refuses a ttl of %s', async (ttl) => {
  const { registrations } = scene();
  await expect(registrations.register(orders, { ttl: ttl as number })).rejects.toThrow(
    /ttl.*expected milliseconds from 1/,
  );
});

it('leaves nothing behind when it is aborted while the store answers', async () => {
  const { register, store, holdUp, held } = scene();
  const open = holdUp();
  const abort = new AbortController();
  const registering = register({ signal: abort.signal });
  abort.abort(new Error('enough'));
  await expect(registering).rejects.toThrow('enough');
  open();
  await vi.waitFor(() => expect(store.size).toBe(0));
  expect(held).toEqual([]);
});

it('leaves nothing behind whenever it is aborted', async () => {
  for (let turns = 0; turns < 12; turns += 1) {
    const { register, store } = scene();
    const abort = new AbortController();
    const outcome = register({ signal: abort.signal }).then(
      () => 'registered',
      () => 'aborted',
    );
    for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
    abort.abort();
    const isHeld = (await outcome) === 'registered';
    await vi.waitFor(() => expect(store.has('orders-1')).toBe(isHeld));
  }
});

it('leaves nothing behind when it closes while the store answers, and waits for that', async () => {
  const { register, store, holdUp, registrations } = scene();
  const open = holdUp();
  const registering = register();
  const closing = registrations.close();
  open();
  await expect(registering).rejects.toMatchObject({ code: 'ERR_SD_CLOSED' });
  await closing;
  expect(store.size).toBe(0);
});

it('does not wait for a store that does not answer for more than a second', async () => {
  const { register, holdUp, registrations, clock } = scene();
  holdUp();
  register().catch(() => undefined);
  await Promise.resolve();
  let isClosed = false;
  const closing = registrations.close().then(() => (isClosed = true));
  await clock.advance(999);
  await Promise.resolve();
  expect(isClosed).toBe(false);
  await clock.advance(1);
  await closing;
});

it('replaces the lease that an instance had', async () => {
  const { register, ended } = scene();
  const first = await register();
  const second = await register();
  expect(first.lost.reason).toMatchObject({ reason: 'replaced' });
  expect(second.lost.aborted).toBe(false);
  expect(ended).toEqual([first]);
});

it('does not take a registration of its own that was given up for somebody else', async () => {
  const { register, holdUp, outcome } = scene();
  const open = holdUp();
  const abort = new AbortController();
  const givenUp = register({ signal: abort.signal }).catch(() => undefined);
  abort.abort();
  await givenUp;
  holdUp()();
  const lease = await register();
  outcome.loss = 'replaced';
  await expect(lease.update(orders)).rejects.toMatchObject({ code: 'ERR_SD_LEASE_LOST', reason: 'deleted' });
  open();
});

it('loses a lease that an update finds lost', async () => {
  const { register, outcome } = scene();
  const lease = await register();
  outcome.loss = 'replaced';
  await expect(lease.update(orders)).rejects.toBeInstanceOf(LeaseLostError);
  expect(lease.lost.aborted).toBe(true);
});

it('tells a lease that expired from one that somebody deleted by the time since its last renewal', async () => {
  const { register, held, clock } = scene();
  const first = await register();
  await clock.advance(999);
  held[0]?.drop('gone');
  expect(first.lost.reason).toMatchObject({ reason: 'deleted' });
  const second = await register();
  await clock.advance(600);
  held[1]?.renewed(clock.monotonic());
  await clock.advance(1_000);
  held[1]?.drop('gone');
  expect(second.lost.reason).toMatchObject({ reason: 'expired' });
});

it('does not let an update change who it is', async () => {
  const { register } = scene();
  const lease = await register();
  await expect(lease.update({ ...orders, service: 'other' })).rejects.toThrow('Lease.update()');
  await expect(lease.update({ ...orders, id: 'other' })).rejects.toThrow('Lease.update()');
});

it('takes an instance out of the store once, however often it is released', async () => {
  const { register, store, ended } = scene();
  const lease = await register();
  await Promise.all([lease.release(), lease.release()]);
  expect(store.size).toBe(0);
  expect(ended).toEqual([lease]);
  await expect(lease.update(orders)).rejects.toMatchObject({ code: 'ERR_SD_CLOSED' });
});

it('leaves what is registered to expire when it closes, and refuses everything afterwards', async () => {
  const { register, registrations, store, ended } = scene();
  const lease = await register();
  await registrations.close();
  expect(store.size).toBe(1);
  expect(ended).toEqual([lease]);
  expect(lease.lost.aborted).toBe(false);
  await expect(lease.release()).rejects.toMatchObject({ code: 'ERR_SD_CLOSED' });
  await expect(register()).rejects.toMatchObject({ code: 'ERR_SD_CLOSED' });
});

it('has an update of the former lease wait for a registration under way, and not overwrite it', async () => {
  const { register, registrations, store, holdUpAnswer } = scene();
  const lease = await register();
  const moved = { ...orders, port: 81 };
  const open = holdUpAnswer();
  const registering = registrations.register(moved, { ttl: 1_000 });
  const updating = lease.update({ ...orders, weight: 2 });
  await vi.waitFor(() => expect(store.get('orders-1')).toEqual(moved));
  open();

  await expect(updating).rejects.toThrow(LeaseLostError);
  expect((await registering).instance).toEqual(moved);
  expect(store.get('orders-1')).toEqual(moved);
});
