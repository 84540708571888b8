export { GrpcNameTakenError, NoConnectionError, UnknownGrpcNameError } from './errors.ts';
export { addHealthService } from './health-service.ts';
export { registerGrpc, type GrpcRegistration, type RegisterGrpcOptions } from './register-grpc.ts';
export { serveGrpc, type ServedGrpc } from './serve.ts';
