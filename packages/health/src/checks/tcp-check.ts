import { validate } from '@sd/core';
import { connect } from 'node:net';
import * as v from 'valibot';
import { finding } from '../finding.ts';
import type { HealthCheck } from '../health-check.ts';
import { port as portSchema } from '../check-option-schemas.ts';
import { ConnectionProgress } from './connection-progress.ts';
import { exchange } from './exchange.ts';

export interface TcpCheckOptions {
  /** Where to connect to. Default: the target's own port. */
  readonly port?: number | undefined;
}

const optionsSchema = v.strictObject({ port: v.optional(portSchema) }, 'an object');

/**
 * Healthy when a connection opens; nothing is sent. It says that a process listens, not that it works.
 * @throws {ConfigValidationError} naming each wrong option
 */
export function tcpCheck(options: TcpCheckOptions = {}): HealthCheck {
  validate('tcpCheck', optionsSchema, options);
  const { port } = options;
  return {
    name: port === undefined ? 'tcp' : `tcp ${port}`,
    check: (target, { signal }) =>
      exchange(signal, (end) => {
        const progress = new ConnectionProgress();
        const socket = connect({ host: target.host, port: port ?? target.port });
        progress.follow(socket, { secure: false });
        socket.once('connect', () => end(finding('healthy', 'a connection opened')));
        socket.on('error', (error) => end(progress.failure(error)));
        return { close: () => socket.destroy(), cutOff: (reason) => progress.cutOff(reason) };
      }),
  };
}
