import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  AUTHORITATIVE_ANSWER,
  decode,
  encode,
  encodingLength,
  TRUNCATED_RESPONSE,
  type Answer,
  type DecodedPacket,
  type Packet,
  type Question,
} from 'dns-packet';

export type DnsTransport = 'udp' | 'tcp';

export interface DnsQuestion {
  readonly name: string;
  readonly type: string;
  readonly transport: DnsTransport;
}

/** What becomes of an answer; the members add up. */
export interface DnsFault {
  /** None at all. */
  readonly silent?: boolean;
  readonly delayMs?: number;
  /** Instead of the answer: 2 is SERVFAIL, 5 REFUSED. */
  readonly rcode?: number;
  /** Only so many of the records, others each time, and no sign of it. */
  readonly atMost?: number;
  /** Marked as cut off, and empty. */
  readonly truncated?: boolean;
  /** Negative answers without the record that says how long they are good for. */
  readonly withoutSoa?: boolean;
  /** No records beside those that were asked for. */
  readonly withoutAdditionals?: boolean;
  /** The last word on the message; more than one message are sent one after the other. */
  readonly rewrite?: (reply: Packet) => readonly Packet[];
  /** The last word on its bytes. */
  readonly bytes?: (message: Buffer) => Buffer;
}

export interface DnsServerOptions {
  /** TTL of records that do not say, and of absences, in seconds. Default: 0. */
  readonly ttl?: number;
}

/** An authoritative DNS server in this process, over UDP and TCP, whose records and manners tests decide. */
export class DnsServer implements AsyncDisposable {
  readonly host = '127.0.0.1';
  readonly port: number;
  /** Every question that came, the oldest first. */
  readonly questions: DnsQuestion[] = [];
  /** Decides for each question what goes wrong. */
  fault: ((question: DnsQuestion) => DnsFault | undefined) | undefined;
  /** TTL of absences, in seconds. */
  readonly #ttl: number;
  readonly #records = new Map<string, Answer[]>();
  readonly #sockets = new Set<Socket>();
  readonly #udp: UdpSocket;
  readonly #tcp: Server;
  #turn = 0;
  #isClosed = false;

  static async start(options: DnsServerOptions = {}): Promise<DnsServer> {
    for (;;) {
      const tcp = createServer().listen(0, '127.0.0.1');
      await once(tcp, 'listening');
      const address = tcp.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      const udp = createSocket('udp4').bind(port, '127.0.0.1');
      try {
        await once(udp, 'listening');
        return new DnsServer(udp, tcp, options);
      } catch {
        tcp.close(); // somebody else has the UDP port
      }
    }
  }

  private constructor(udp: UdpSocket, tcp: Server, { ttl = 0 }: DnsServerOptions) {
    this.#udp = udp;
    this.#tcp = tcp;
    this.#ttl = ttl;
    this.port = udp.address().port;
    udp.on('message', (bytes, { address, port }) => {
      void this.#answer(bytes, 'udp', (reply) => {
        if (!this.#isClosed) udp.send(reply, port, address);
      });
    });
    tcp.on('connection', (socket) => this.#serve(socket));
  }

  /** For the option `servers`. */
  get address(): string {
    return `${this.host}:${this.port}`;
  }

  /** Replaces all records of the name and type. */
  set(name: string, type: Answer['type'], ...records: readonly RecordData[]): void {
    const key = name.toLowerCase();
    const others = (this.#records.get(key) ?? []).filter((record) => record.type !== type);
    const added = records.map(({ ttl = this.#ttl, data }) => ({ name, type, ttl, data }) as Answer);
    this.#records.set(key, [...others, ...added]);
    if (others.length + added.length === 0) this.#records.delete(key);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const socket of this.#sockets) socket.destroy();
    const ends = [once(this.#udp, 'close'), once(this.#tcp, 'close')];
    this.#udp.close();
    this.#tcp.close();
    await Promise.all(ends);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => undefined);
    let received = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        const end = 2 + received.readUInt16BE(0);
        const bytes = received.subarray(2, end);
        received = received.subarray(end);
        void this.#answer(bytes, 'tcp', (reply) => {
          const length = Buffer.alloc(2);
          length.writeUInt16BE(reply.length);
          socket.write(Buffer.concat([length, reply]));
        });
      }
    });
  }

  async #answer(bytes: Buffer, transport: DnsTransport, send: (reply: Buffer) => void): Promise<void> {
    const query = decode(bytes);
    const [question] = query.questions ?? [];
    if (question === undefined) return;
    const asked = { name: question.name.toLowerCase(), type: question.type, transport };
    this.questions.push(asked);
    const fault = this.fault?.(asked) ?? {};
    if (fault.delayMs !== undefined) await sleep(fault.delayMs);
    if (fault.silent === true) return;
    const reply = this.#reply(query, question, fault);
    const replies = fault.rewrite?.(reply) ?? [reply];
    for (const each of replies) {
      const message = encode(fitting(each, transport === 'udp' ? sizeOf(query) : 65_535));
      send(fault.bytes?.(message) ?? message);
    }
  }

  #reply(query: DecodedPacket, question: Question, fault: DnsFault): Packet {
    const { found, exists } = this.#find(question);
    const start = (this.#turn += fault.atMost ?? 0);
    const answers =
      fault.atMost === undefined || found.length <= fault.atMost
        ? found
        : Array.from({ length: fault.atMost }, (_, n) => found[(start + n) % found.length]).filter(isAnswer);
    const rcode = fault.rcode ?? (exists ? 0 : 3);
    const isNegative = fault.rcode === undefined && !answers.some(({ type }) => type === question.type);
    const targets = answers.flatMap((answer) => (answer.type === 'SRV' ? [answer.data.target] : []));
    const additionals = targets.flatMap((target) => this.#records.get(target.toLowerCase()) ?? []);
    const isCut = fault.truncated === true;
    return {
      type: 'response',
      id: query.id,
      flags: AUTHORITATIVE_ANSWER | rcode | (isCut ? TRUNCATED_RESPONSE : 0),
      questions: [question],
      answers: isCut || fault.rcode !== undefined ? [] : [...answers],
      authorities: isNegative && !isCut && fault.withoutSoa !== true ? [this.#soa()] : [],
      additionals: isCut || fault.withoutAdditionals === true || fault.rcode !== undefined ? [] : additionals,
    };
  }

  /** With the aliases that lead there, as long as they are not in a circle. */
  #find({ name, type }: Question): { readonly found: readonly Answer[]; readonly exists: boolean } {
    const found: Answer[] = [];
    let at = name.toLowerCase();
    for (const passed = new Set<string>(); !passed.has(at);) {
      passed.add(at);
      const records = this.#records.get(at) ?? [];
      const alias = records.find(isAlias);
      if (alias === undefined || type === 'CNAME') {
        found.push(...records.filter((record) => record.type === type));
        return { found, exists: records.length > 0 || passed.size > 1 };
      }
      found.push(alias);
      at = alias.data.toLowerCase();
    }
    return { found, exists: true };
  }

  #soa(): Answer {
    const ttl = this.#ttl;
    return {
      type: 'SOA',
      name: 'test',
      ttl,
      data: {
        mname: 'ns.test',
        rname: 'admin.test',
        serial: 1,
        refresh: 1,
        retry: 1,
        expire: 1,
        minimum: ttl,
      },
    };
  }
}

/** The data of one record, as `dns-packet` has them. */
interface RecordData {
  readonly data: unknown;
  /** Seconds. */
  readonly ttl?: number;
}

const isAlias = (answer: Answer): answer is Answer & { readonly type: 'CNAME'; readonly data: string } =>
  answer.type === 'CNAME';

const isAnswer = (answer: Answer | undefined): answer is Answer => answer !== undefined;

/** What the client can take over UDP. */
function sizeOf({ additionals = [] }: DecodedPacket): number {
  const [opt] = additionals.filter(({ type }) => type === 'OPT');
  return opt?.type === 'OPT' ? Math.max(512, opt.udpPayloadSize) : 512;
}

/** Additional records are left out in silence, answers are cut off and marked, as servers do. */
function fitting(reply: Packet, size: number): Packet {
  if (encodingLength(reply) <= size) return reply;
  const lean = { ...reply, additionals: [] };
  if (encodingLength(lean) <= size) return lean;
  return { ...lean, answers: [], flags: (reply.flags ?? 0) | TRUNCATED_RESPONSE };
}
