const asIs = (bytes: Buffer): Buffer => bytes;

/** A method whose messages are bytes, so that what is measured is gRPC and not their encoding. */
export const echo = {
  path: '/bench.Echo/Echo',
  requestStream: false,
  responseStream: false,
  requestSerialize: asIs,
  requestDeserialize: asIs,
  responseSerialize: asIs,
  responseDeserialize: asIs,
} as const;
