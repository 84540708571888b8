import { isIP } from 'node:net';
import { parseServer } from '../../../packages/backends/dns/src/dns-servers.ts';
import { candidates, parseResolvConf } from '../../../packages/backends/dns/src/search-rules.ts';
import { parseEndpointUrl } from '../../../packages/backends/static/src/endpoint-url.ts';
import { parseConnectionString } from '../../../packages/backends/zookeeper/src/connection-string.ts';
import { holds } from '../oracle.ts';
import type { FuzzTarget } from '../target.ts';

const isPort = (port: number): boolean => Number.isInteger(port) && port >= 1 && port <= 65_535;

/** Texts that say where something is: URLs, servers, connection strings, resolv.conf. */
export const addresses: FuzzTarget = {
  name: 'addresses',
  format: 'text',
  seeds: [
    'http://10.0.0.1:8080',
    'https://[::1]',
    'grpc://user:secret@host:1',
    '10.0.0.2:53',
    '[fe80::1%eth0]:53',
    'zk1:2181,zk2,[::1]:2181/a/b',
    'search a.example b.example.\noptions ndots:5 # x\ndomain c',
  ],
  words: ['://', '@', '[', ']', ':', '/', '#', '?', 'ndots:', 'search ', '%', '..', '0x7f.1'],
  run(input) {
    const text = input.toString();
    const { endpoint, received = '' } = parseEndpointUrl(text);
    holds(endpoint === undefined || Number.isInteger(endpoint.port), 'a port that is no number');
    holds(endpoint === undefined || !text.includes('@'), 'credentials are let through');
    holds(!received.includes('secret@') && received.length <= 80, 'a secret is shown');
    const server = parseServer(text);
    holds(server === undefined || (isIP(server.host) !== 0 && isPort(server.port)), 'no address of a server');
    const zookeeper = parseConnectionString(text);
    holds(zookeeper?.servers.every(({ port }) => isPort(port)) ?? true, 'no port of a server');
    holds(zookeeper === undefined || /^(\/[!-~]+)*$/.test(zookeeper.chroot), 'no chroot');
    const rules = parseResolvConf(text);
    holds(rules.ndots >= 0 && rules.ndots <= 15, 'no number of dots');
    const names = candidates('orders', rules);
    holds(
      names.length === rules.domains.length + 1 && names.includes('orders'),
      'the name itself is not tried',
    );
  },
};
