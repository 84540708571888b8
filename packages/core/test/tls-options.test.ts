import { expect, it } from 'vitest';
import { tlsOptions, validate } from '../src/index.ts';

const refusal = (options: unknown): unknown => {
  try {
    return validate('Options', tlsOptions, options);
  } catch (error) {
    return (error as Error).message;
  }
};

it('takes PEM as text or bytes, and a name', () => {
  const options = { ca: 'PEM', cert: Buffer.from('PEM'), key: 'PEM', servername: 'store.internal' };
  expect(validate('Options', tlsOptions, options)).toEqual(options);
});

it.each([
  [{ ca: 7 }, '"ca" is 7, expected PEM, in a string or a Buffer'],
  [{ cert: '' }, 'expected PEM, in a string or a Buffer'],
  [{ servername: '' }, '"servername" is "", expected a host name'],
  [{ cert: 'PEM' }, '"key" is missing, expected the key of the certificate'],
  [{ key: 'PEM' }, '"cert" is missing, expected the certificate of the key'],
  [{ rejectUnauthorized: false }, '"rejectUnauthorized" is an unknown option'],
])('refuses %j', (options, message) => {
  expect(refusal(options)).toContain(message);
});

it('does not show a key', () => {
  expect(refusal({ key: 'secret', ca: 7 })).not.toContain('secret');
  expect(refusal({ key: 'secret' })).not.toContain('secret');
});
