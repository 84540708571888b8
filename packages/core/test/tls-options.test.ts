import { expect, it } from 'vitest';
import { tlsOptions, validate } from '../src/index.ts';

const pem = '-----BEGIN ANYTHING-----';

const refusal = (options: unknown): unknown => {
  try {
    return validate('Options', tlsOptions, options);
  } catch (error) {
    return (error as Error).message;
  }
};

it('takes PEM as text or bytes, and a name', () => {
  const options = { ca: pem, cert: Buffer.from(pem), key: pem, servername: 'store.internal' };
  expect(validate('Options', tlsOptions, options)).toEqual(options);
});

it.each([
  [{ ca: 'ca.pem' }, '"ca" is "ca.pem", expected PEM (not the name of a file)'],
  [{ cert: 7 }, 'expected PEM'],
  [{ servername: '' }, '"servername" is "", expected a host name'],
  [{ cert: pem }, '"key" is missing, expected the key of the certificate'],
  [{ key: pem }, '"cert" is missing, expected the certificate of the key'],
  [{ rejectUnauthorized: false }, '"rejectUnauthorized" is an unknown option'],
])('refuses %j', (options, message) => {
  expect(refusal(options)).toContain(message);
});

it('does not show a key', () => {
  expect(refusal({ key: `${pem} secret`, ca: 7 })).not.toContain('secret');
  expect(refusal({ key: `${pem} secret` })).not.toContain('secret');
});
