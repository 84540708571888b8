import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { Channel, ProcessGoneError, type Port } from '../src/channel.ts';

/** One end of a connection between two processes. */
class FakePort extends EventEmitter implements Port {
  connected = true;
  other: FakePort | undefined;

  send(message: object, callback: (error: Error | null) => void): boolean {
    setImmediate(() => {
      this.other?.emit('message', structuredClone(message));
      callback(null);
    });
    return true;
  }

  disconnect(): void {
    this.connected = false;
    this.emit('disconnect');
  }
}

interface Shop {
  price(of: string, count: number): Promise<number | undefined>;
  close(): void;
}

function connect(shop: Partial<Shop>): { readonly channel: Channel<Shop>; readonly end: FakePort } {
  const [here, there] = [new FakePort(), new FakePort()];
  Object.assign(here, { other: there });
  Object.assign(there, { other: here });
  new Channel(there, shop);
  return { channel: new Channel<Shop>(here, {}), end: here };
}

describe('Channel', () => {
  it('calls the methods of the other process, each caller getting the answer to its own request', async () => {
    const prices = new Map([['tea', 3]]);
    const { channel } = connect({
      price: async (of, count) => {
        const price = prices.get(of);
        return price === undefined ? undefined : price * count;
      },
    });
    const answers = await Promise.all([
      channel.request('price', 'tea', 2),
      channel.request('price', 'salt', 1),
    ]);
    expect(answers).toEqual([6, undefined]);
  });

  it('passes failures on', async () => {
    const { channel } = connect({ price: () => Promise.reject(new RangeError('sold out')) });
    await expect(channel.request('price', 'tea', 1)).rejects.toThrow('RangeError: sold out');
  });

  it('calls without waiting where the answer does not matter', async () => {
    const closed = new Promise<string>((resolve) => {
      const { channel } = connect({ close: () => resolve('closed') });
      channel.notify('close');
    });
    expect(await closed).toBe('closed');
  });

  it('rejects what is not answered when the other process is gone, and what is asked afterwards', async () => {
    const { channel, end } = connect({ price: () => new Promise(() => undefined) });
    const asked = channel.request('price', 'tea', 1);
    end.disconnect();
    await expect(asked).rejects.toThrow(ProcessGoneError);
    await expect(channel.request('price', 'tea', 1)).rejects.toThrow(ProcessGoneError);
    channel.notify('close');
  });
});
