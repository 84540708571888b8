import { describe, expect, it } from 'vitest';
import { ConfigValidationError } from '@sd/core';
import { ZooKeeperBackend } from '../src/index.ts';
import { parseConnectionString } from '../src/connection-string.ts';

describe('ZooKeeperBackend refuses', () => {
  it.each([
    [
      'servers that are none',
      { connectionString: 'http://zk' },
      'connectionString',
      /servers like "host1:2181/,
    ],
    ['no server', { connectionString: '' }, 'connectionString', /servers like/],
    ['an empty server', { connectionString: 'a,,b' }, 'connectionString', /servers like/],
    ['a port that is none', { connectionString: 'a:99999' }, 'connectionString', /servers like/],
    ['a chroot with dots', { connectionString: 'a/../b' }, 'connectionString', /servers like/],
    [
      'the chroot of ZooKeeper itself',
      { connectionString: 'a/zookeeper' },
      'connectionString',
      /servers like/,
    ],
    ['a root without a slash', { root: 'services' }, 'root', /a path like "\/services"/],
    ['a root that is all', { root: '/' }, 'root', /a path like/],
    ['a root that ends in a slash', { root: '/services/' }, 'root', /a path like/],
    ['a root with spaces', { root: '/my services' }, 'root', /a path like/],
    ['a codec that does not exist', { codec: 'xml' }, 'codec', /"sd", "curator" or an object/],
    [
      'a codec that cannot read',
      { codec: { encode: () => '' } },
      'codec',
      /an object with encode\(\) and decode/,
    ],
    ['auth without credentials', { auth: { scheme: 'digest' } }, 'auth.credentials', /credentials/],
    ['an acl that does not exist', { acl: 'everybody' }, 'acl', /"open", "creator"/],
    [
      'an acl with a wrong entry',
      { acl: [{ perms: 31, scheme: 'digest', id: 'app:hash' }] },
      'acl.0.permissions',
      /^(?!.*app:hash)/,
    ],
    ['an acl of nobody', { acl: [] }, 'acl', /./],
    ['an acl of the creator for nobody', { acl: 'creator' }, '', /auth, or tls with a certificate/],
    ['tls that is none', { tls: 'yes' }, 'tls', /a boolean, or ca, cert, key and servername/],
    ['a limit of nothing', { timeoutMs: 0 }, 'timeoutMs', /milliseconds from 50/],
    ['an option that does not exist', { servers: [] }, 'servers', /unknown option/],
  ])('%s', (_, options, field, message) => {
    const refusal = thrownBy(() => new ZooKeeperBackend(options as never));
    expect(refusal).toBeInstanceOf(ConfigValidationError);
    expect(refusal).toMatchObject({ field, message: expect.stringMatching(message) as unknown });
  });

  it('credentials that are none without showing them', () => {
    const auth = { scheme: 'digest', credentials: 's3cret' };
    const refusal = thrownBy(() => new ZooKeeperBackend({ auth }));
    expect(refusal).toBeInstanceOf(ConfigValidationError);
    expect(JSON.stringify(refusal) + String(refusal)).not.toContain('s3cret');
  });
});

describe('a connection string', () => {
  it.each([
    ['zk1', [{ host: 'zk1', port: 2181 }], ''],
    [
      'zk1:2181, zk2:2182',
      [
        { host: 'zk1', port: 2181 },
        { host: 'zk2', port: 2182 },
      ],
      '',
    ],
    ['10.0.0.1:1/a/b', [{ host: '10.0.0.1', port: 1 }], '/a/b'],
    [
      '[::1]:2181,[fe80::1]/a',
      [
        { host: '::1', port: 2181 },
        { host: 'fe80::1', port: 2181 },
      ],
      '/a',
    ],
    ['zk1/', [{ host: 'zk1', port: 2181 }], ''],
  ])('%s has servers and a chroot', (text, servers, chroot) => {
    expect(parseConnectionString(text)).toEqual({ servers, chroot });
  });
});

function thrownBy(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}
