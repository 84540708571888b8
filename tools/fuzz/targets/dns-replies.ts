import { encode } from 'dns-packet';
import { readReply, type Question } from '../../../packages/backends/dns/src/dns-message.ts';
import { holds } from '../oracle.ts';
import type { FuzzTarget } from '../target.ts';

const question: Question = { name: '_orders._tcp.example.com', type: 'SRV' };
const reply = (rest: object, flags = 0x8180): Buffer =>
  encode({ type: 'response', id: 1, flags, questions: [question], ...rest });
const srv = (target: string) => ({
  type: 'SRV' as const,
  name: question.name,
  ttl: 30,
  data: { target, port: 8080, priority: 1, weight: 10 },
});

/** A packet that comes in answer to a question, from anybody. */
export const dnsReplies: FuzzTarget = {
  name: 'dns-replies',
  format: 'bytes',
  seeds: [
    reply({ answers: [srv('a.example.com'), srv('b.example.com')] }),
    reply({
      answers: [srv('a.example.com')],
      additionals: [{ type: 'A', name: 'a.example.com', ttl: 30, data: '10.0.0.1' }],
    }),
    reply({ answers: [{ type: 'CNAME', name: question.name, ttl: 5, data: 'other.example.com' }] }),
    reply(
      {
        authorities: [
          {
            type: 'SOA',
            name: 'example.com',
            ttl: 60,
            data: { mname: 'ns', rname: 'admin', serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 9 },
          },
        ],
      },
      0x8183,
    ),
    reply(
      {
        answers: [srv('a')],
        additionals: [
          { type: 'AAAA', name: 'a', ttl: 1, data: '::1' },
          { type: 'TXT', name: 'a', ttl: 1, data: ['x'] },
        ],
      },
      0x8380,
    ),
    Buffer.concat([reply({ answers: [srv('a')] }).subarray(0, -3), Buffer.from([0xc0, 0x0c])]),
  ],
  run(input) {
    const before = Buffer.from(input);
    const read = readReply(input, question, 1);
    holds(before.equals(input), 'the packet was changed');
    if (typeof read === 'string') {
      holds(read.length < 100, 'a problem without bounds');
      return;
    }
    const { answers, authorities, additionals, rcode, isTruncated } = read;
    const all = [...answers, ...authorities, ...additionals];
    holds(all.length * 11 <= input.length, 'more records than fit into the packet');
    holds(rcode >= 0 && rcode <= 15, 'no code of DNS');
    holds(!isTruncated || all.length === 0, 'a part is taken for the whole');
    for (const record of all)
      holds(record.name.length <= 1_024, `a name of ${record.name.length} characters`);
  },
};
