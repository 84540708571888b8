import { ConfigValidationError, describeValue } from '@sd/core';

const expected =
  'a DNS name: labels of 1 to 63 letters, digits, "_" or "-", and at most 253 characters in all';

/**
 * What a service is called in DNS.
 * @throws {ConfigValidationError} when that cannot be a DNS name
 */
export function dnsNameOf(service: string, name: string | ((service: string) => string)): string {
  const made: unknown =
    typeof name === 'string' ? name.replaceAll('{service}', () => service) : name(service);
  if (typeof made === 'string' && isDnsName(made)) return made;
  throw new ConfigValidationError(
    'DnsBackend',
    [{ field: 'name', received: `${describeValue(made)} for service "${service}"`, expected }],
    { service },
  );
}

/** With or without a dot at its end. What is none cannot be asked for: it would be sent as something else. */
export function isDnsName(text: string): boolean {
  return text.replace(/\.$/, '').length <= 253 && dnsName.test(text);
}

const dnsName = /^[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?$/;
