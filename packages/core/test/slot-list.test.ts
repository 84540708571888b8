import { describe, expect, it } from 'vitest';
import { SlotList } from '../src/index.ts';

describe('SlotList', () => {
  it('has what was added and not removed', () => {
    const list = new SlotList<{ readonly name: string }>();
    const first = list.add({ name: 'a' });
    list.add({ name: 'b' });
    list.remove(first);
    list.add({ name: 'c' });
    expect([...list].map(({ name }) => name).sort()).toEqual(['b', 'c']);
    expect(list.size).toBe(2);
  });

  it('takes a second removal of the same for none', () => {
    const list = new SlotList<object>();
    const slot = list.add({});
    list.remove(slot);
    list.remove(slot);
    expect([list.size, list.add({}), list.add({})]).toEqual([0, 0, 1]);
  });

  it('can change while it is read', () => {
    const list = new SlotList<object>();
    const slots = [list.add({}), list.add({}), list.add({})];
    let read = 0;
    for (const _member of list) {
      read += 1;
      for (const slot of slots) list.remove(slot);
    }
    expect([read, list.size]).toEqual([3, 0]);
  });
});
