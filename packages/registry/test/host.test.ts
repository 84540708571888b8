import type { NetworkInterfaceInfo } from 'node:os';
import { describe, expect, it } from 'vitest';
import { detectHost } from '../src/index.ts';

const v4 = (address: string, internal = false): NetworkInterfaceInfo => ({
  address,
  internal,
  family: 'IPv4',
  netmask: '255.255.255.0',
  mac: '00:00:00:00:00:00',
  cidr: `${address}/24`,
});
const v6 = (address: string, internal = false): NetworkInterfaceInfo => ({
  address,
  internal,
  family: 'IPv6',
  netmask: 'ffff:ffff:ffff:ffff::',
  mac: '00:00:00:00:00:00',
  cidr: `${address}/64`,
  scopeid: 0,
});

describe('detectHost', () => {
  it('prefers the first external IPv4 address', () => {
    const interfaces = {
      lo: [v4('127.0.0.1', true), v6('::1', true)],
      eth0: [v6('2001:db8::7'), v4('10.0.0.7')],
      eth1: [v4('10.0.1.7')],
    };

    expect(detectHost(() => interfaces)).toBe('10.0.0.7');
  });

  it('takes a global IPv6 address when there is no IPv4 address', () => {
    const interfaces = { lo: [v4('127.0.0.1', true)], eth0: [v6('fe80::1'), v6('2001:db8::7')] };

    expect(detectHost(() => interfaces)).toBe('2001:db8::7');
  });

  it('passes over link-local addresses, which mean nothing on another machine', () => {
    const interfaces = { eth0: [v4('169.254.3.4'), v6('fe80::1')], eth1: undefined };

    expect(detectHost(() => interfaces)).toBe('127.0.0.1');
  });

  it('asks this machine by default', () => {
    expect(detectHost()).toMatch(/^[0-9a-f.:]+$/);
  });
});
