import { ConfigValidationError } from '@sd/core';
import { isIP } from 'node:net';
import { createSecureContext, type SecureContext } from 'node:tls';
import * as v from 'valibot';
import { messageOf } from '../finding.ts';
import { text } from '../check-option-schemas.ts';

/** As in `node:tls`. */
export interface TlsOptions {
  /** Authorities to trust, PEM. Default: those that Node trusts. */
  readonly ca?: string | Buffer | readonly (string | Buffer)[] | undefined;
  /** Our own certificate, PEM, for targets that want one. */
  readonly cert?: string | Buffer | undefined;
  /** The private key of `cert`, PEM. */
  readonly key?: string | Buffer | undefined;
  /** The name that the target's certificate must be for. Default: its host, or what the request calls it. */
  readonly servername?: string | undefined;
  /** False trusts any certificate. Default: true. */
  readonly rejectUnauthorized?: boolean | undefined;
}

const pemText = 'PEM as a string or Buffer';
const pem = v.union([v.string(), v.instance(Buffer)], pemText);

export const tlsSchema = v.strictObject(
  {
    ca: v.optional(v.union([pem, v.array(pem)], `${pemText}, or an array of those`)),
    cert: v.optional(pem),
    key: v.optional(pem),
    servername: v.optional(text),
    rejectUnauthorized: v.optional(v.boolean('true or false')),
  },
  'an object of TLS options',
);

/** What many connections share: certificates are parsed once, and a mistake in them is found at once. */
export class TlsSettings {
  readonly #options: TlsOptions;
  #context: SecureContext | undefined;

  /** @throws {ConfigValidationError} the certificates or the key cannot be used */
  constructor(what: string, options: TlsOptions | undefined) {
    this.#options = options ?? {};
    if (options !== undefined) this.#context = makeContext(what, options);
  }

  /**
   * For `tls.connect`, which sends no name unless it is told one, and for `https.request`, which knows its host.
   * @param host the name that the certificate is to be for when the options give none
   */
  connectOptions(host?: string): ConnectOptions {
    // An address is checked too, but not sent.
    const name = host === undefined || isIP(host) !== 0 ? undefined : host;
    const { servername = name, rejectUnauthorized = true } = this.#options;
    this.#context ??= createSecureContext();
    return {
      secureContext: this.#context,
      rejectUnauthorized,
      ...(servername === undefined ? {} : { servername }),
    };
  }
}

interface ConnectOptions {
  readonly secureContext: SecureContext;
  readonly rejectUnauthorized: boolean;
  readonly servername?: string;
}

function makeContext(what: string, { ca, cert, key }: TlsOptions): SecureContext {
  try {
    return createSecureContext({
      ...(ca === undefined ? {} : { ca: typeof ca === 'string' || Buffer.isBuffer(ca) ? ca : [...ca] }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    });
  } catch (error) {
    const received = `refused by OpenSSL (${messageOf(error)})`;
    throw new ConfigValidationError(what, [
      { field: 'tls', received, expected: 'certificates and a key that fit' },
    ]);
  }
}
