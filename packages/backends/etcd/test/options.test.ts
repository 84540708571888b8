import { describe, expect, it } from 'vitest';
import { ConfigValidationError } from '@sd/core';
import { EtcdBackend } from '../src/index.ts';

const https = 'https://localhost:2379';
const pem = '-----BEGIN CERTIFICATE-----';

describe('EtcdBackend refuses', () => {
  it.each([
    ['a URL of something else', { endpoints: 'redis://localhost' }, 'endpoints', /"http:\/\/localhost:2379"/],
    ['a URL that is none', { endpoints: 'localhost:2379' }, 'endpoints', /"http:\/\/localhost:2379"/],
    ['a URL with a path', { endpoints: 'http://localhost/v3' }, 'endpoints', /without user, path or query/],
    ['no endpoint', { endpoints: [] }, 'endpoints', /at least one/],
    ['http: beside https:', { endpoints: [https, 'http://localhost'] }, 'endpoints', /all with http: or all/],
    ['one URL of several that is none', { endpoints: [https, 'x'] }, 'endpoints.1', /a URL like/],
    ['a user without a password', { username: 'sd' }, 'username', /together with a password/],
    ['a password without a user', { password: 'secret' }, 'username', /together with a password/],
    ['a prefix that does not end', { prefix: '/sd' }, 'prefix', /ends with "\/"/],
    ['a prefix with control characters', { prefix: 'a\n/' }, 'prefix', /visible ASCII/],
    ['a codec that nobody knows', { codec: 'dubbo' }, 'codec', /one of "sd", "kratos", "go-zero"/],
    [
      'a codec that cannot read',
      { codec: { name: 'mine', prefix: '/' } },
      'codec',
      /with name, prefix and parse/,
    ],
    ['TLS for http:', { tls: {} }, 'endpoints', /https: for TLS/],
    ['a file name for a certificate', { endpoints: https, tls: { ca: 'ca.pem' } }, 'tls.ca', /expected PEM/],
    [
      'a certificate without a key',
      { endpoints: https, tls: { cert: pem } },
      'tls.key',
      /the key of the certificate/,
    ],
    ['a limit of nothing', { timeoutMs: 0 }, 'timeoutMs', /milliseconds from 50/],
    ['an option that does not exist', { hosts: [] }, 'hosts', /unknown option/],
  ])('%s', (_, options, field, message) => {
    const refusal = thrownBy(() => new EtcdBackend(options as never));
    expect(refusal).toBeInstanceOf(ConfigValidationError);
    expect(refusal).toMatchObject({ field, message: expect.stringMatching(message) as unknown });
  });

  it('a URL with a password, without showing it', () => {
    const refusal = thrownBy(() => new EtcdBackend({ endpoints: 'http://user:s3cret@host' }));
    expect(refusal).toBeInstanceOf(ConfigValidationError);
    expect(String(refusal)).not.toContain('s3cret');
  });
});

function thrownBy(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}
