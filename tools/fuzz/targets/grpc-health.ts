import { decodeResponse, encodeRequest } from '../../../packages/health/src/checks/grpc-health-message.ts';
import { holds } from '../oracle.ts';
import type { FuzzTarget } from '../target.ts';

/** What a gRPC health check answers. */
export const grpcHealth: FuzzTarget = {
  name: 'grpc-health',
  format: 'bytes',
  seeds: [
    Buffer.from([0, 0, 0, 0, 2, 8, 1]),
    Buffer.from([0, 0, 0, 0, 0]),
    Buffer.from([0, 0, 0, 0, 9, 0x12, 3, 1, 2, 3, 8, 0x82, 0x80, 0]),
    Buffer.from([0, 0, 0, 0, 11, 0x19, 1, 2, 3, 4, 5, 6, 7, 8, 8, 1]),
  ],
  run(input) {
    const status = decodeResponse(input);
    holds(
      status === undefined || /^(UNKNOWN|SERVING|NOT_SERVING|SERVICE_UNKNOWN)$/.test(status),
      'no status',
    );
    const name = input.toString();
    const request = encodeRequest(name);
    holds(request.readUInt32BE(1) === request.length - 5, 'a frame of another length');
    holds(name === '' || request.subarray(-Buffer.byteLength(name)).toString() === name, 'another name');
  },
};
