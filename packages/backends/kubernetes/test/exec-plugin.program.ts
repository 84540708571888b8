// An exec plugin of a kubeconfig: tells the token that is in a file, or fails and says more than it should.
import { readFileSync } from 'node:fs';

const [file = '', mode = ''] = process.argv.slice(2);
const token = readFileSync(file, 'utf8');
if (mode === 'fail') {
  console.error(`cannot exchange ${token}`);
  process.exit(1);
}
if (mode === 'hang') setInterval(() => undefined, 1_000);
else
  console.log(
    JSON.stringify({
      apiVersion: 'client.authentication.k8s.io/v1',
      kind: 'ExecCredential',
      status: { token, expirationTimestamp: new Date(Date.now() + 3_600_000).toISOString() },
    }),
  );
