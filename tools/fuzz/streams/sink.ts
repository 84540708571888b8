import { constants, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';

/** How a connection, or a stream within one, ends: with all said, in the middle, or with a reset. */
export type Ending = 'done' | 'broken' | 'reset';

/** Where bytes go. */
export interface Sink {
  readonly isGone: boolean;
  write(bytes: Buffer): unknown;
  /** After what was written, or at once. */
  end(how: Ending): void;
}

export const sinkOfSocket = (socket: Socket): Sink => ({
  get isGone() {
    return socket.destroyed;
  },
  write: (bytes) => socket.write(bytes),
  end(how) {
    if (how === 'reset') socket.resetAndDestroy();
    else socket.end(() => socket.destroy());
  },
});

/** gRPC says with its trailers how it went; a stream that was broken off has none. */
export function sinkOfStream(stream: ServerHttp2Stream): Sink {
  const begin = (): void => {
    if (stream.headersSent) return;
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  };
  let status = '0';
  stream.on('wantTrailers', () => stream.sendTrailers(status === '' ? {} : { 'grpc-status': status }));
  return {
    get isGone() {
      return stream.destroyed;
    },
    write(bytes) {
      begin();
      stream.write(bytes);
    },
    end(how) {
      if (how === 'reset') {
        stream.close(constants.NGHTTP2_INTERNAL_ERROR);
        return;
      }
      if (how === 'broken') status = '';
      begin();
      stream.end();
    },
  };
}
