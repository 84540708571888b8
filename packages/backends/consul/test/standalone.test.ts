import { afterAll, beforeAll, describe } from 'vitest';
import { describeBackend } from '@sd/testkit';
import { ConsulServer, requireServer } from '../../../../tools/servers/index.ts';
import { consulHarness } from './consul-harness.ts';

describe.skipIf(!requireServer('consul'))('standalone', () => {
  let server: ConsulServer;
  beforeAll(async () => {
    // A hundred processes of one host are more than an agent serves by default: 200 connections for an address.
    server = await ConsulServer.start({
      acl: true,
      config: { limits: { http_max_conns_per_client: 2_000 } },
    });
  }, 30_000);
  afterAll(() => server.stop());

  describeBackend('ConsulBackend', () => consulHarness(server), { timeoutMs: 60_000 });
});
