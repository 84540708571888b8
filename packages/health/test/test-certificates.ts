import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { makeCertificates } from '../../../tools/servers/certificates.ts';

/** For servers at 127.0.0.1 and localhost, signed by an authority that nobody else trusts. */
export function testCertificates(): { readonly ca: string; readonly cert: string; readonly key: string } {
  const folder = mkdtempSync(join(tmpdir(), 'sd-health-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const { ca, files } = makeCertificates(folder);
  return { ca, cert: readFileSync(files.certificate, 'utf8'), key: readFileSync(files.key, 'utf8') };
}
