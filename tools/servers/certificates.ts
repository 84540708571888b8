import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findBinary } from './binaries.ts';

export interface Certificates {
  /** The certificate (PEM) of the authority. */
  readonly ca: string;
  readonly files: { readonly ca: string; readonly certificate: string; readonly key: string };
}

/**
 * An authority of its own and a certificate for 127.0.0.1 and localhost, made with the `openssl` command.
 * Both are valid for a day, except that an expired certificate has ended in 2021.
 */
export function makeCertificates(parent: string, { expired = false } = {}): Certificates {
  const folder = join(parent, 'tls');
  mkdirSync(folder);
  writeFileSync(join(folder, 'openssl.cnf'), configuration);
  writeFileSync(join(folder, 'index.txt'), '');
  const names = ['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  const validity = expired
    ? ['-startdate', '20200101000000Z', '-enddate', '20210101000000Z']
    : ['-days', '1'];
  openssl(folder, 'req', '-x509', ...newKey, '-keyout', 'ca.key', '-out', 'ca.crt', '-days', '1');
  openssl(folder, 'req', ...newKey, '-keyout', 'server.key', '-out', 'server.csr', ...names);
  openssl(folder, 'ca', '-batch', '-in', 'server.csr', '-out', 'server.crt', '-notext', ...validity);
  const files = {
    ca: join(folder, 'ca.crt'),
    certificate: join(folder, 'server.crt'),
    key: join(folder, 'server.key'),
  };
  return { ca: readFileSync(files.ca, 'utf8'), files };
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=sd test'];

/** `openssl ca`, unlike `openssl x509`, can set dates in every version, but wants all this said. */
const configuration = `
[req]
distinguished_name = empty
x509_extensions = authority
[empty]
[authority]
basicConstraints = critical, CA:true
subjectKeyIdentifier = hash
[ca]
default_ca = sd
[sd]
certificate = ca.crt
private_key = ca.key
database = index.txt
new_certs_dir = .
rand_serial = yes
default_md = sha256
unique_subject = no
copy_extensions = copy
policy = any
[any]
commonName = optional
`;

function openssl(cwd: string, command: string, ...args: readonly string[]): void {
  const binary = findBinary('openssl');
  if (binary === undefined) throw new Error('A server with TLS needs the openssl command on PATH.');
  // Piped, so that its chatter is seen only in the error of a failure.
  execFileSync(binary, [command, '-config', 'openssl.cnf', ...args], { cwd, stdio: 'pipe' });
}
