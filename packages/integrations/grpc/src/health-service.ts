import type { sendUnaryData, Server, ServerUnaryCall, ServerWritableStream } from '@grpc/grpc-js';
import { systemClock, takesRequests, type Clock, type Timer } from '@sd/core';
import type { SelfCheck } from '@sd/health';

/**
 * Has a `grpc.Server` answer `grpc.health.v1.Health`, Check and Watch, by the checks of its process, whatever service is
 * asked for: SERVING while it takes requests. Call it before the server is bound.
 */
export function addHealthService(
  server: Server,
  selfCheck: Pick<SelfCheck, 'readiness'>,
  { clock = systemClock }: { readonly clock?: Clock | undefined } = {},
): void {
  const ends = new Set<() => void>();
  watches.set(server, ends);
  server.addService(definition, {
    check: (_call: ServerUnaryCall<Buffer, Buffer>, reply: sendUnaryData<Buffer>) =>
      reply(null, responseOf(selfCheck)),
    watch: (call: ServerWritableStream<Buffer, Buffer>) => {
      let told: Buffer | undefined;
      let timer: Timer | undefined;
      // Readiness has many sources, an operator's word in a registry among them, and no event of its own.
      const look = (): void => {
        const response = responseOf(selfCheck);
        if (told?.equals(response) !== true) call.write(response);
        told = response;
        timer = clock.setTimer(look, watchEveryMs);
      };
      const end = (): void => {
        timer?.cancel();
        if (told?.equals(notServing) !== true) call.write(notServing);
        call.end();
      };
      ends.add(end);
      look();
      call.on('cancelled', () => {
        timer?.cancel();
        ends.delete(end);
      });
    },
  });
}

/** Nobody who watches ends by himself, and a server that drains waits for all streams: they are told, and ended. */
export function endWatches(server: Server): void {
  for (const end of watches.get(server) ?? []) end();
}

/** Of each server, how the watches under way are ended. */
const watches = new WeakMap<Server, ReadonlySet<() => void>>();

/** In milliseconds. */
const watchEveryMs = 500;

/** `HealthCheckResponse { ServingStatus status = 1; }`; 1 is SERVING, 2 is NOT_SERVING. */
function responseOf({ readiness }: Pick<SelfCheck, 'readiness'>): Buffer {
  return Buffer.from([0x08, takesRequests(readiness) ? 1 : 2]);
}

const notServing = Buffer.from([0x08, 2]);

const asIs = (message: Buffer): Buffer => message;
const method = (name: string, responseStream: boolean) => ({
  path: `/grpc.health.v1.Health/${name}`,
  requestStream: false,
  responseStream,
  requestSerialize: asIs,
  requestDeserialize: asIs,
  responseSerialize: asIs,
  responseDeserialize: asIs,
});

/** Source: github.com/grpc/grpc, src/proto/grpc/health/v1/health.proto. */
const definition = { check: method('Check', false), watch: method('Watch', true) };
