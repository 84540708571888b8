import { Resolver } from 'node:dns/promises';
import { describe } from 'vitest';
import { describeBackend } from '@sd/testkit';
import { dnsHarness } from './dns-harness.ts';

describe('over UDP', () => {
  describeBackend('DnsBackend', () => dnsHarness(({ address }) => ({ servers: [address] })));
});

describe('over TCP', () => {
  describeBackend('DnsBackend', () =>
    dnsHarness(({ address }) => ({ servers: [address], transport: 'tcp' })),
  );
});

describe("Node's resolver", () => {
  describeBackend('DnsBackend', () =>
    dnsHarness(({ address }) => {
      const resolver = new Resolver();
      resolver.setServers([address]);
      return { resolver };
    }),
  );
});
