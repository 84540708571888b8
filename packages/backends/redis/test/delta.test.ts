import { describe, expect, it } from 'vitest';
import { isSetBack, parseDelta } from '../src/delta.ts';

describe('parseDelta()', () => {
  it('reads what the scripts publish, in which an empty list is an empty object', () => {
    expect(parseDelta('["7:1","7:2",["a","{}"],{},900]')).toEqual({
      before: '7:1',
      version: '7:2',
      set: new Map([['a', '{}']]),
      removed: [],
      ttl: 900,
    });
  });

  it.each([
    ['no JSON', '['],
    ['no list', '{}'],
    ['no versions', '[1,2,{},{}]'],
    ['an id without a record', '["7:1","7:2",["a"],{}]'],
    ['records that are no text', '["7:1","7:2",["a",{}],{}]'],
    ['ids that are no list', '["7:1","7:2",{},"a"]'],
    ['an object with members', '["7:1","7:2",{"a":1},{}]'],
  ])('takes %s for no change', (_, message) => expect(parseDelta(message)).toBeUndefined());
});

describe('isSetBack()', () => {
  it.each([
    ['a higher number of the same epoch', '7:1', '7:2', false],
    ['the same version', '7:1', '7:1', false],
    ['a lower number', '7:2', '7:1', true],
    ['another epoch, whatever its number', '7:1', '8:2', true],
    ['no version at all', '7:1', '0:0', true],
  ])('%s', (_, before, next, expected) => expect(isSetBack(before, next)).toBe(expected));
});
