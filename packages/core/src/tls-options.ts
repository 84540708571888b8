import * as v from 'valibot';

/** Of a connection to a store, named as in `node:tls`; PEM, as text or as it is in a file. */
export interface TlsOptions {
  /** Authorities to trust. Default: those that Node trusts. */
  readonly ca?: string | Buffer | undefined;
  /** That the store shall know us by, with `key`. Default: none. */
  readonly cert?: string | Buffer | undefined;
  readonly key?: string | Buffer | undefined;
  /** The name that the store's certificate must have. Default: the host that we connect to. */
  readonly servername?: string | undefined;
}

const pemText = 'PEM (not the name of a file), in a string or a Buffer';
const pem = v.optional(v.custom<string | Buffer>(isPem, pemText));
const nameText = 'a host name';

export const tlsOptions = v.pipe(
  v.strictObject(
    {
      ca: pem,
      cert: pem,
      key: pem,
      servername: v.optional(v.pipe(v.string(nameText), v.nonEmpty(nameText))),
    },
    'an object with ca, cert, key or servername',
  ),
  // At the one that is missing: a message shows the value, and a key is a secret.
  v.forward(
    v.check(({ cert, key }) => cert !== undefined || key === undefined, 'the certificate of the key'),
    ['cert'],
  ),
  v.forward(
    v.check(({ cert, key }) => key !== undefined || cert === undefined, 'the key of the certificate'),
    ['key'],
  ),
);

function isPem(value: unknown): boolean {
  return (typeof value === 'string' || Buffer.isBuffer(value)) && value.includes('-----BEGIN ');
}
