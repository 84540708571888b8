import { dirname } from 'node:path/posix';
import { AccessDeniedError, BackendUnavailableError, DiscoveryError } from '@sd/core';
import { ConnectError } from './protocol/connect-error.ts';
import { ops } from './protocol/requests.ts';
import { hasCode, ZooKeeperError } from './protocol/zookeeper-error.ts';

/** Any failure of our client, as what it means to users. */
export function zookeeperError(error: unknown, service?: string): DiscoveryError {
  if (error instanceof DiscoveryError) return error;
  const context = { service, cause: error };
  if (error instanceof ConnectError && error.kind === 'denied')
    return new AccessDeniedError('zookeeper', error.message, context);
  if (error instanceof ZooKeeperError) {
    const denial = denied(error);
    if (denial !== undefined) return new AccessDeniedError('zookeeper', denial, context);
    return new BackendUnavailableError('zookeeper', problem(error), context);
  }
  const message = error instanceof Error ? error.message : String(error);
  const lost = error instanceof ConnectError ? 'no connection' : 'lost the connection';
  return new BackendUnavailableError('zookeeper', `${lost}: ${message}`, context);
}

/** Somebody must change something before it is of use to ask again. */
export function isDenial(error: unknown): boolean {
  if (error instanceof ConnectError) return error.kind === 'denied';
  return error instanceof AccessDeniedError || hasCode(error, 'NoAuth', 'InvalidAcl', 'AuthFailed');
}

function denied({ code, op, path }: ZooKeeperError): string | undefined {
  switch (code) {
    case 'NoAuth':
      return `the ACL does not let us ${right(op, path)}; are the credentials right? Grant it with setAcl`;
    case 'InvalidAcl':
      return `the ACL for "${path}" names nobody; one of the creator needs auth, or a certificate`;
    case 'AuthFailed':
    case 'SessionClosedRequireSaslAuth':
      return `wrong credentials, or a scheme that is not known (${code})`;
    default:
      return undefined;
  }
}

function right(op: number, path: string): string {
  switch (op) {
    case ops.create:
    case ops.createContainer:
      return `create "${path}" (right "create" of "${dirname(path)}")`;
    case ops.delete:
      return `delete "${path}" (right "delete" of "${dirname(path)}")`;
    case ops.setData:
      return `change "${path}" (right "write")`;
    default:
      return `read "${path}" (right "read")`;
  }
}

function problem({ code, path, message }: ZooKeeperError): string {
  switch (code) {
    case 'QuotaExceeded':
      return `a quota above "${path}" is used up`;
    case 'NotEmpty':
    case 'NoChildrenForEphemerals':
      return `something else is in the place of "${path}" (${code})`;
    case 'Unimplemented':
      return `this server is too old for an operation; the next attempt does without it (${message})`;
    default:
      return message;
  }
}
