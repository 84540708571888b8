import { Frames, maxFrameLength } from '../../../packages/backends/zookeeper/src/protocol/frames.ts';
import { ProtocolError } from '../../../packages/backends/zookeeper/src/protocol/jute.ts';
import { holds } from '../oracle.ts';
import type { FuzzTarget } from '../target.ts';

const frame = (length: number): Buffer => {
  const bytes = Buffer.alloc(4 + length, 7);
  bytes.writeInt32BE(length, 0);
  return bytes;
};

/** Bytes of a socket become the same frames wherever they are cut. The first byte says how. */
export const zookeeperFrames: FuzzTarget = {
  name: 'zookeeper-frames',
  format: 'bytes',
  seeds: [
    Buffer.concat([Buffer.from([1]), frame(0), frame(1), frame(20)]),
    Buffer.concat([Buffer.from([7]), frame(300), Buffer.from([0x7f, 0xff, 0xff, 0xff, 1])]),
    Buffer.concat([Buffer.from([3]), frame(3), Buffer.from([0, 0, 0, 9, 1, 2])]),
  ],
  run(input) {
    const [step = 1] = input;
    const bytes = input.subarray(1);
    const whole = framesOf([bytes]);
    const cut: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += 1 + (step % 61))
      cut.push(bytes.subarray(at, at + 1 + (step % 61)));
    holds(framesOf(cut) === whole, 'other frames when it is cut elsewhere');
  },
};

function framesOf(chunks: readonly Buffer[]): string {
  const frames = new Frames();
  const found: string[] = [];
  let size = 0;
  try {
    for (const chunk of chunks) {
      size += chunk.length;
      for (const each of frames.push(chunk)) found.push(each.toString('hex'));
    }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    found.push('no frame');
  }
  holds(size <= maxFrameLength && found.join('').length <= 2 * size + 8, 'more bytes than came');
  return found.join();
}
