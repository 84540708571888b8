import { validate } from '@sd/core';
import * as v from 'valibot';
import { answer, judgeLiveness, judgeReadiness, type HealthSource, type Verdict } from './health-verdict.ts';

export interface HealthEndpointsOptions {
  /** A `SelfCheck`. Only what it has found already is read: a flood of probes runs no check. */
  readonly selfCheck: HealthSource;
  /**
   * Whether the process can still recover by itself; it is killed if not. Must be cheap, and not ask others: a database
   * that is down is no reason to kill all that wait for it. Default: it can.
   */
  readonly live?: (() => boolean) | undefined;
  /** Default: `/health/live`. */
  readonly livePath?: string | undefined;
  /** Default: `/health/ready`. */
  readonly readyPath?: string | undefined;
  /** Names the checks and what they found to whoever asks, which may tell strangers of internals. Default: false. */
  readonly exposeDetails?: boolean | undefined;
}

export interface HealthEndpoints {
  /** For `node:http`, `node:https` and `node:http2`, and middleware for Express and what is like it. Never throws. */
  readonly handler: HealthHandler;
  /** A plugin: `app.register(endpoints.fastify)`. */
  readonly fastify: (app: FastifyLike) => Promise<void>;
}

export interface HealthHandler {
  /** Middleware: calls `next` if the request is for another path. */
  (request: RequestLike, response: ResponseLike, next: () => void): void;
  /** @returns whether it answered; if not, the request is for another path */
  (request: RequestLike, response: ResponseLike): boolean;
}

/** What is needed of a request of `node:http`. */
export interface RequestLike {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
}

/** What is needed of a response of `node:http`. */
export interface ResponseLike {
  readonly headersSent: boolean;
  statusCode: number;
  setHeader(name: string, value: string): unknown;
  end(body?: string): unknown;
}

/** What is needed of a Fastify app. */
export interface FastifyLike {
  all(path: string, options: { readonly onRequest: FastifyAnswer }, handler: FastifyAnswer): unknown;
}

type FastifyAnswer = (request: { readonly method: string }, reply: ReplyLike) => Promise<unknown>;

export interface ReplyLike {
  code(statusCode: number): unknown;
  headers(headers: Record<string, string>): unknown;
  send(body: string): unknown;
}

/**
 * Answers load balancers and orchestrators that ask how this process is, in JSON as in the Internet draft
 * draft-inadarei-api-health-check: `{"status":"pass"}`, `warn` (200 as well) or `fail` (503).
 * - live: passes as long as the process can answer, also while it drains
 * - ready: passes while healthy, warns while degraded, else fails: starting, unhealthy, draining, out of service
 * @throws {ConfigValidationError} naming each wrong option
 */
export function healthEndpoints(options: HealthEndpointsOptions): HealthEndpoints {
  const { livePath, readyPath } = validate('healthEndpoints', optionsSchema, options);
  const { selfCheck, live = () => true, exposeDetails = false } = options;
  const judges = new Map<string, () => Verdict>([
    [livePath, () => judgeLiveness(live)],
    [readyPath, () => judgeReadiness(selfCheck, exposeDetails)],
  ]);

  function handler(request: RequestLike, response: ResponseLike, next: () => void): void;
  function handler(request: RequestLike, response: ResponseLike): boolean;
  function handler({ method, url = '' }: RequestLike, response: ResponseLike, next?: () => void): boolean {
    const judge = judges.get(url.replace(/[?#].*/s, ''));
    if (judge === undefined) {
      next?.();
      return false;
    }
    if (response.headersSent) return true; // others have answered
    const { statusCode, headers, body } = answer(method, judge);
    response.statusCode = statusCode;
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    response.end(method === 'HEAD' ? undefined : body);
    return true;
  }

  const fastify = async (app: FastifyLike): Promise<void> => {
    for (const [path, judge] of judges) {
      const respond: FastifyAnswer = async ({ method }, reply) => {
        const { statusCode, headers, body } = answer(method, judge);
        reply.code(statusCode);
        reply.headers(headers);
        return reply.send(body);
      };
      // Before a body is read that nobody wants.
      app.all(path, { onRequest: respond }, respond);
    }
  };

  return { handler, fastify };
}

const pathText = 'a path such as "/health/ready"';
const path = v.pipe(v.string(pathText), v.regex(/^\/[\w.~/-]*$/, pathText));

const optionsSchema = v.pipe(
  v.strictObject(
    {
      selfCheck: v.custom<HealthSource>(isSource, 'a SelfCheck'),
      live: v.optional(v.function('a function that returns true or false')),
      livePath: v.optional(path, '/health/live'),
      readyPath: v.optional(path, '/health/ready'),
      exposeDetails: v.optional(v.boolean('true or false')),
    },
    'an object with a selfCheck',
  ),
  v.forward(
    v.check(({ livePath, readyPath }) => livePath !== readyPath, 'another path than livePath'),
    ['readyPath'],
  ),
);

function isSource(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'readiness' in value && 'checks' in value;
}
