import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import { onAbort, type Clock } from '@sd/core';
import { encodeQuestion, readReply, type Question, type Reply } from './dns-message.ts';
import type { ServerAddress } from './dns-servers.ts';

export interface ExchangeOptions {
  readonly edns: boolean;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Sent this often over UDP, evenly over the time that there is: a lost packet is no lost server. */
const sendings = 3;

/**
 * Asks over UDP, from a port and with an id that nobody can guess, which is all the security that there is. What does
 * not answer this very question is let pass: it may be forged, and the true answer still on its way.
 *
 * @throws what is wrong with the server, or the reason of the signal
 */
export function askOverUdp(
  server: ServerAddress,
  question: Question,
  options: ExchangeOptions,
): Promise<Reply> {
  const id = randomInt(65_536);
  const bytes = encodeQuestion(question, id, options.edns);
  const socket = createSocket(isIPv6(server.host) ? 'udp6' : 'udp4');
  let seen = '';
  const send = (): void => {
    try {
      socket.send(bytes);
    } catch {
      // Not connected yet: the first sending is still to come. Or closed in the moment between that and here.
    }
  };
  return exchange(options, {
    begin({ resolve, reject }) {
      socket.on('error', reject);
      socket.on('message', (received) => {
        const reply = readReply(received, question, id);
        if (typeof reply === 'string') seen = `, only ${reply}`;
        else resolve(reply);
      });
      socket.on('connect', send);
      // Connected, it hears of a port that is closed, and nobody but the server is heard.
      socket.connect(server.port, server.host);
    },
    again: { everyMs: options.timeoutMs / sendings, send },
    end: () => void socket.close(),
    silence: () => seen,
  });
}

/** Asks over TCP, where answers have up to 64 KB. @throws as over UDP */
export function askOverTcp(
  server: ServerAddress,
  question: Question,
  options: ExchangeOptions,
): Promise<Reply> {
  const id = randomInt(65_536);
  const bytes = encodeQuestion(question, id, options.edns);
  const socket = connect({ ...server, noDelay: true });
  let received = Buffer.alloc(0);
  return exchange(options, {
    begin({ resolve, reject }) {
      socket.on('error', reject);
      socket.on('close', () => reject(new Error('it closed the connection')));
      socket.on('data', (chunk) => {
        received = Buffer.concat([received, chunk]);
        if (received.length < 2) return;
        const end = 2 + received.readUInt16BE(0);
        if (received.length < end) return;
        const reply = readReply(received.subarray(2, end), question, id);
        if (typeof reply === 'string') reject(new Error(`it sent ${reply}`));
        else resolve(reply);
      });
      const length = Buffer.alloc(2);
      length.writeUInt16BE(bytes.length);
      socket.write(Buffer.concat([length, bytes]));
    },
    end: () => void socket.destroy(),
    silence: () => '',
  });
}

interface Conversation {
  readonly begin: (outcome: {
    readonly resolve: (reply: Reply) => void;
    readonly reject: (error: unknown) => void;
  }) => void;
  readonly again?: { readonly everyMs: number; readonly send: () => void };
  readonly end: () => void;
  /** What was heard instead of an answer. */
  readonly silence: () => string;
}

/** Within the time that there is, and not a moment longer than the signal allows. */
function exchange(
  { timeoutMs, clock, signal }: ExchangeOptions,
  { begin, again, end, silence }: Conversation,
): Promise<Reply> {
  return new Promise<Reply>((resolve, reject) => {
    let isOver = false;
    const finish = (settle: () => void): void => {
      if (isOver) return;
      isOver = true;
      deadline.cancel();
      repeat?.cancel();
      forget();
      end();
      settle();
    };
    const outcome = {
      resolve: (reply: Reply) => finish(() => resolve(reply)),
      reject: (error: unknown) => finish(() => reject(error)),
    };
    const deadline = clock.setTimer(
      () => outcome.reject(new Error(`no answer within ${timeoutMs} ms${silence()}`)),
      timeoutMs,
    );
    const repeatLater = () =>
      again &&
      clock.setTimer(() => {
        again.send();
        repeat = repeatLater();
      }, again.everyMs);
    let repeat = repeatLater();
    const forget = onAbort(signal, () => outcome.reject(signal.reason));
    begin(outcome);
    if (signal.aborted) outcome.reject(signal.reason);
  });
}
