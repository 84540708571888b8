/**
 * Whether what a server sends is what ioredis can take: it ends the process with a `TypeError` that nobody can catch
 * when, say, nothing (`*-1`) comes where it expects a message, and 5 takes memory for as many values as are announced.
 * Follows RESP2 over the pieces of a stream, and passes over texts without looking at them.
 */
export class ReplyCheck {
  readonly #isOfMessages: boolean;
  /** For each array that is being read: how many of its values are still to come. */
  readonly #open: number[] = [];
  /** Of the value that comes, up to its end of line. */
  #line = '';
  /** Bytes of a text that are still to come, with its end of line. */
  #left = 0;

  /** @param isOfMessages whether it is a connection for subscriptions */
  constructor({ isOfMessages }: { readonly isOfMessages: boolean }) {
    this.#isOfMessages = isOfMessages;
  }

  /** @returns what is wrong, if something is */
  push(chunk: Buffer): string | undefined {
    for (let at = 0; at < chunk.length;) {
      if (this.#left > 0) {
        const passed = Math.min(this.#left, chunk.length - at);
        this.#left -= passed;
        at += passed;
        continue;
      }
      if (this.#line === '' && !this.#isOfMessages && chunk[at] === 36) {
        const next = this.#passLength(chunk, at);
        if (next !== at) {
          at = next;
          continue;
        }
      }
      const lineEnd = chunk.indexOf(10, at);
      const end = lineEnd === -1 ? chunk.length : lineEnd + 1;
      this.#line += chunk.toString('latin1', at, end);
      at = end;
      if (this.#line.length > longestLine) return 'a line without an end';
      if (lineEnd === -1) continue;
      const problem = this.#accept(this.#line);
      if (problem !== undefined) return problem;
      this.#line = '';
    }
    return undefined;
  }

  /** Of a text (`$12`), as nearly all lines of a reading are: this is the hot path. @returns `at` for what needs a closer look */
  #passLength(chunk: Buffer, at: number): number {
    let end = at + 1;
    let length = 0;
    for (; end - at <= 9; end += 1) {
      const digit = (chunk[end] ?? 0) - 48;
      if (digit < 0 || digit > 9) break;
      length = 10 * length + digit;
    }
    if (end === at + 1 || chunk[end] !== 13 || chunk[end + 1] !== 10) return at;
    this.#left = length + 2;
    this.#count();
    return end + 2;
  }

  #accept(line: string): string | undefined {
    const problem = `"${line.slice(0, 20).trimEnd()}" where ${this.#isOfMessages ? 'a message' : 'a reply'} should be`;
    const kind = line[0];
    const text = line.slice(1, -2);
    // ioredis takes the first of them for the end of the line.
    if (line.indexOf('\r') !== line.length - 2) return problem;
    const depth = this.#open.length;
    if (kind === '-' || kind === '+') {
      if (this.#isOfMessages && (depth > 0 || text === '')) return problem;
    } else {
      if (!/^-?\d{1,19}$/.test(text)) return problem;
      const number = Number(text);
      const isNothing = number < 0 && kind !== ':';
      if (isNothing && (depth === 0 || this.#isOfMessages)) return problem;
      if (kind === '$') this.#left = isNothing ? 0 : number + 2;
      else if (kind === '*') {
        if (number > mostValues || depth >= mostDepth) return problem;
        if (this.#isOfMessages && (depth > 0 || number < 2)) return problem;
        if (number > 0) {
          this.#open.push(number);
          return undefined;
        }
      } else if (kind !== ':' || (this.#isOfMessages && depth === 0)) return problem;
    }
    this.#count();
    return undefined;
  }

  /** One value is there, and with it perhaps all of an array, which is a value too. */
  #count(): void {
    for (let last = this.#open.length - 1; last >= 0; last -= 1) {
      const left = (this.#open[last] ?? 0) - 1;
      if (left > 0) {
        this.#open[last] = left;
        return;
      }
      this.#open.pop();
    }
  }
}

/** An error may say much. */
const longestLine = 65_536;

/** Twice what a service of two million instances has. */
const mostValues = 4_194_304;

/** Our scripts reply with lists in a list; CLUSTER SLOTS goes deeper. */
const mostDepth = 8;
