import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { onTestFinished } from 'vitest';

export interface RecordedRequest {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly token: string | undefined;
}

/** Answers as it is told to, and keeps what it was asked. It is gone after the test. */
export async function recordingServer(answer: (path: string, response: ServerResponse) => void): Promise<{
  readonly url: string;
  readonly requests: readonly RecordedRequest[];
}> {
  const requests: RecordedRequest[] = [];
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://any');
    const token = request.headers['x-consul-token'];
    requests.push({
      method: request.method ?? '',
      path: pathname,
      query: Object.fromEntries(searchParams),
      token: typeof token === 'string' ? token : undefined,
    });
    request.resume().on('end', () => answer(pathname, response));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { url: `http://127.0.0.1:${port}`, requests };
}

/** As Consul does where nothing is. */
export function answerEmpty(path: string, response: ServerResponse): void {
  const isList = path.startsWith('/v1/health');
  response.writeHead(200, { 'content-type': 'application/json', 'x-consul-index': '7' });
  response.end(isList ? '[]' : '{}');
}
