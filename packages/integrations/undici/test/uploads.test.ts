import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const program = fileURLToPath(new URL('uploads.program.ts', import.meta.url));

/** Node's HTTP/2 writes for ever, and takes all memory, where several are aborted one upon another. */
it('uploads over HTTP/2 that time out together leave the process alive', { timeout: 30_000 }, async () => {
  const node = ['--conditions=@sd/source', '--import=tsx', program];
  const options = { timeout: 20_000, killSignal: 'SIGKILL' } as const;
  const { stdout } = await promisify(execFile)(process.execPath, node, options);
  expect(JSON.parse(stdout)).toEqual(['ERR_SD_ATTEMPT_TIMEOUT']);
});
