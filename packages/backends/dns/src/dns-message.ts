import {
  decode,
  encode,
  RECURSION_DESIRED,
  TRUNCATED_RESPONSE,
  type Answer,
  type DecodedPacket,
} from 'dns-packet';

export type RecordType = 'SRV' | 'A' | 'AAAA';

export interface Question {
  /** Without a dot at its end. */
  readonly name: string;
  readonly type: RecordType;
}

/** What a server said to a question. */
export interface Reply {
  readonly rcode: number;
  readonly isTruncated: boolean;
  readonly isAuthoritative: boolean;
  readonly isRecursive: boolean;
  readonly answers: readonly Answer[];
  readonly authorities: readonly Answer[];
  readonly additionals: readonly Answer[];
}

export const rcodes = { ok: 0, formatError: 1, noSuchName: 3, notImplemented: 4 } as const;

/** What we take over UDP: it fits into every packet of today's networks. See dnsflagday.net/2020. */
const udpPayloadSize = 1_232;

/** @param edns without it a server may send no more than 512 bytes over UDP, and some very old ones know no better */
export function encodeQuestion({ name, type }: Question, id: number, edns: boolean): Buffer {
  const size = {
    type: 'OPT',
    name: '.',
    udpPayloadSize,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
  } as const;
  return encode({
    type: 'query',
    id,
    flags: RECURSION_DESIRED,
    questions: [{ name, type }],
    additionals: edns ? [{ ...size, flag_do: false, options: [] }] : [],
  });
}

/** @returns what is wrong with the bytes, when they are no reply to this question */
export function readReply(bytes: Buffer, { name, type }: Question, id: number): Reply | string {
  let message;
  try {
    message = decodeAnswers(bytes);
  } catch {
    return 'a reply that cannot be decoded';
  }
  if (message.id !== id || !message.flag_qr) return 'a reply to something else';
  const rcode = (message.flags ?? 0) & 15;
  const { questions = [], answers = [], authorities = [], additionals = [] } = message;
  const [question] = questions;
  // Servers that could not read the question need not repeat it.
  const isUnread = question === undefined && rcode !== rcodes.ok && rcode !== rcodes.noSuchName;
  const isOurs =
    question?.type === type && sameName(question.name, name) && (question.class ?? 'IN') === 'IN';
  if (!isUnread && !(isOurs && questions.length === 1)) return 'a reply to another question';
  return {
    rcode,
    isTruncated: message.flag_tc,
    isAuthoritative: message.flag_aa,
    isRecursive: message.flag_ra,
    answers,
    authorities,
    additionals,
  };
}

/**
 * What comes beside the answers may be broken without harm: dnsmasq does that beyond 16 KB, where its pointers to names
 * overflow. Addresses that are lost so are asked for. Of what is marked as cut off only the question is read.
 * @throws when the answers cannot be read
 */
function decodeAnswers(bytes: Buffer): DecodedPacket {
  const [questions, answers, authorities, additionals] = [4, 6, 8, 10].map((at) => bytes.readUInt16BE(at));
  // The decoder makes room for as many as it is told of.
  const areIn = (count = 0): boolean => count * leastRecordSize <= bytes.length;
  if (questions === undefined || questions > 1) throw new Error('more than there can be');
  // It is asked for again anyway, and some servers cut within a record.
  if (isCut(bytes)) return decode(Buffer.from(bytes).fill(0, 6, 12));
  if (!areIn(answers)) throw new Error('more than there can be');
  try {
    if (!areIn(authorities) || !areIn(additionals)) throw new Error('more than there can be');
    return decode(bytes);
  } catch (error) {
    // Without answers the others decide what is meant.
    if (answers === 0) throw error;
    return decode(Buffer.from(bytes).fill(0, 8, 12));
  }
}

const isCut = (bytes: Buffer): boolean => (bytes.readUInt16BE(2) & TRUNCATED_RESPONSE) !== 0;

/** The name of the root, type, class, TTL and length. */
const leastRecordSize = 11;

/** As names are compared: without case and the dot at the end. */
export function canonical(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}

const sameName = (left: string, right: string): boolean => canonical(left) === canonical(right);

export function describeRcode(rcode: number): string {
  return ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'][rcode] ?? `RCODE ${rcode}`;
}
