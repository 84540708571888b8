import { Session, type Profiler } from 'node:inspector';

/**
 * Which code of the packages has run, by V8's own count: what an input is good for is known by what it reaches that no
 * other has reached.
 */
export class Coverage {
  readonly #session = new Session();
  /** By script: 1 for each character that has run. */
  readonly #reached = new Map<string, Uint8Array>();
  #count = 0;

  constructor() {
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** Characters of source that have run so far. */
  get count(): number {
    return this.#count;
  }

  /**
   * Whether something has run, since this was asked last, that never had.
   * @param note whether that counts as reached from now on
   */
  hasGrown({ note = true } = {}): boolean {
    let grown = 0;
    // With a session in the same process the answer is there at once.
    this.#session.post('Profiler.takePreciseCoverage', (error, coverage) => {
      if (error !== null) throw error;
      for (const script of coverage.result) grown += this.#newIn(script, note);
    });
    if (note) this.#count += grown;
    return grown > 0;
  }

  close(): void {
    this.#session.disconnect();
  }

  #newIn({ url, scriptId, functions }: Profiler.ScriptCoverage, note: boolean): number {
    if (!/\/packages\/.*\/src\//.test(url)) return 0;
    const end = functions.reduce((most, { ranges }) => Math.max(most, ranges[0]?.endOffset ?? 0), 0);
    const ran = new Uint8Array(end);
    // What is within another comes after it.
    for (const { ranges } of functions)
      for (const { startOffset, endOffset, count } of ranges)
        ran.fill(count > 0 ? 1 : 0, startOffset, endOffset);
    let reached = this.#reached.get(scriptId) ?? new Uint8Array(end);
    if (reached.length < end) {
      const longer = new Uint8Array(end);
      longer.set(reached);
      reached = longer;
    }
    this.#reached.set(scriptId, reached);
    let grown = 0;
    for (let at = 0; at < end; at += 1) {
      if (ran[at] === 0 || reached[at] === 1) continue;
      grown += 1;
      if (note) reached[at] = 1;
    }
    return grown;
  }
}
