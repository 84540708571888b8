import { ConfigValidationError, describeValue, type ConfigIssue } from '@sd/core';
import { withCredentials } from './endpoint-url.ts';
import { readGivenServices, type StaticServices } from './services.ts';

export interface ServicesFromEnvOptions {
  /** How the names of the variables end. Default: `_URLS`. */
  readonly suffix?: string | undefined;
}

/**
 * Services from environment variables: `ORDERS_URLS=http://10.0.0.1:8080,http://10.0.0.2:8080` is the service `orders`,
 * and `USER_PROFILE_URLS` is `user-profile`: in small letters, with `-` for `_`. URLs are separated by commas or white
 * space.
 *
 * @throws {ConfigValidationError} naming the variable of every mistake, and which of its URLs: `ORDERS_URLS.1`
 */
export function servicesFromEnv(
  env: Readonly<Record<string, string | undefined>> = process.env,
  { suffix = '_URLS' }: ServicesFromEnvOptions = {},
): StaticServices {
  const services = new Map<string, readonly string[]>();
  const variables = new Map<string, string>();
  const issues: ConfigIssue[] = [];
  for (const [variable, value = ''] of Object.entries(env)) {
    if (!variable.endsWith(suffix) || variable.length === suffix.length) continue;
    const service = variable.slice(0, -suffix.length).toLowerCase().replaceAll('_', '-');
    if (!isText(value)) {
      issues.push({ field: variable, received: describeValue(value), expected: 'URLs in a string' });
      continue;
    }
    // Of a password with a comma each part would be shown by itself.
    const hasCredentials = value.includes('@');
    if (hasCredentials) issues.push({ field: variable, ...withCredentials });
    const urls = hasCredentials ? [] : value.split(/[\s,]+/).filter((url) => url !== '');
    const other = variables.get(service);
    if (other !== undefined) {
      const received = `for service "${service}", as ${other} is`;
      issues.push({ field: variable, received, expected: 'one variable for each service' });
    }
    issues.push(
      ...mistakesIn(service, urls).map((issue) => ({
        ...issue,
        field: inVariable(issue.field, service, variable),
      })),
    );
    variables.set(service, variable);
    services.set(service, urls);
  }
  const [first, ...rest] = issues;
  if (first !== undefined) throw new ConfigValidationError('Environment', [first, ...rest]);
  return Object.fromEntries(services);
}

/** Users without types give what they like. */
const isText = (value: unknown): value is string => typeof value === 'string';

function mistakesIn(service: string, urls: readonly string[]): readonly ConfigIssue[] {
  try {
    readGivenServices({ [service]: urls });
    return [];
  } catch (error) {
    if (error instanceof ConfigValidationError) return error.issues;
    throw error;
  }
}

const inVariable = (field: string, service: string, variable: string): string =>
  variable + field.slice(`services.${service}`.length);
