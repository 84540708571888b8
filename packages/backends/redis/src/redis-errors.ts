import { AccessDeniedError, BackendUnavailableError, DiscoveryError } from '@sd/core';

export interface ErrorSource {
  readonly prefix: string;
  readonly username: string;
  readonly secrets: readonly string[];
  readonly service?: string | undefined;
  /** The keys of the command, for those who must look at them. */
  readonly keys?: readonly string[] | undefined;
  /** What the script calls, for those who must grant the right to it. */
  readonly commands?: readonly string[] | undefined;
}

/** Any failure of a client of ioredis, as what it means to users. */
export function redisError(error: unknown, source: ErrorSource): DiscoveryError {
  if (error instanceof DiscoveryError) return error;
  const reason = ofNode(error);
  const said = reason instanceof Error ? reason.message || reason.name : String(reason);
  const message = withoutSecrets(said, source.secrets);
  const context = { service: source.service, cause: withoutCommand(reason, message) };
  const denial = denied(message, source);
  if (denial !== undefined) return new AccessDeniedError('redis', denial, context);
  return new BackendUnavailableError('redis', problem(message, source), context);
}

/** That of a Cluster says that no node was of use; what the last of them said is worth more. */
function ofNode(error: unknown): unknown {
  return error instanceof Error && 'lastNodeError' in error ? (error.lastNodeError ?? error) : error;
}

/** Servers and proxies may repeat what they were sent. */
function withoutSecrets(message: string, secrets: readonly string[]): string {
  const short = message.replace(/,? with args beginning with.*/s, '');
  return secrets.reduce((text, secret) => text.replaceAll(secret, '***'), short);
}

/** The errors of ioredis carry the command with its arguments, and those of AUTH are the password. */
function withoutCommand(error: unknown, message: string): unknown {
  if (!(error instanceof Error) || (!('command' in error) && error.message === message)) return error;
  const cause = new Error(message);
  cause.name = error.name;
  return cause;
}

function denied(message: string, source: ErrorSource): string | undefined {
  const { username } = source;
  const user = username === '' ? 'default' : username;
  if (/WRONGPASS|invalid (username-)?password/i.test(message))
    return `wrong user name or password for user "${user}"`;
  if (/NOAUTH|unauthenticated/i.test(message)) return 'Redis wants a password';
  if (!/NOPERM|user executing the script can't|ACL failure|no permissions/i.test(message)) return undefined;
  const rule = missingRule(message, source);
  return `user "${user}" lacks a right; grant it with ACL SETUSER ${user} ${rule} (${message})`;
}

/** Redis 7 does not say which command of a script it was: then all of them. */
function missingRule(message: string, { prefix, commands = [] }: ErrorSource): string {
  const command = /'([^']+)' command/.exec(message)?.[1];
  if (command !== undefined) return `+${command}`;
  if (/channel/i.test(message)) return `&${prefix}*`;
  if (/key/i.test(message)) return `~${prefix}*`;
  return commands.map((each) => `+${each}`).join(' ');
}

function problem(message: string, { keys = [] }: ErrorSource): string {
  const kind = /LOADING|READONLY|OOM|MASTERDOWN|CLUSTERDOWN|BUSY|NOREPLICAS|MISCONF|WRONGTYPE|SDLOST/.exec(
    message,
  )?.[0];
  const names = keys.map((key) => `"${key}"`).join(', ');
  switch (kind) {
    case undefined:
      if (/unknown command|wrong number of arguments|syntax error/i.test(message))
        return `it does not know a command that is needed; Redis 6.2 or newer, or Valkey, is (${message})`;
      return message;
    case 'LOADING':
      return 'Redis is still loading its data';
    case 'READONLY':
      return 'this Redis is a replica, which cannot be written to; was there a fail-over? (READONLY)';
    case 'OOM':
      return 'Redis has reached its maxmemory and refuses to store more (OOM)';
    case 'WRONGTYPE':
      return `one of the keys ${names} holds something else than this backend stores there; delete it or choose another prefix (WRONGTYPE)`;
    case 'SDLOST':
      return `Redis has lost some of the keys ${names}, perhaps by eviction; providers restore them`;
    default:
      return message;
  }
}

/** After these the next attempt must look anew for who is the master. */
export function isOfWrongServer(error: unknown): boolean {
  return error instanceof Error && /READONLY|MASTERDOWN/.test(error.message);
}

/** Why there was no connection, where the words of the network leave people guessing. */
export function noConnection(error: unknown, { tls }: { readonly tls: boolean }): unknown {
  const message = error instanceof Error ? error.message : '';
  const context = { cause: error };
  if (tls && /ETIMEDOUT|Socket timeout|wrong version number/i.test(message))
    return new BackendUnavailableError(
      'redis',
      `no TLS handshake (${message}); does this port speak TLS?`,
      context,
    );
  if (!tls && /^(read|write) (ECONNRESET|EPIPE)|^Connection is closed/.test(message))
    return new BackendUnavailableError(
      'redis',
      `closed the connection (${message}); does it want TLS (rediss://…), or has it all the clients that it takes (maxclients)?`,
      context,
    );
  return error;
}
