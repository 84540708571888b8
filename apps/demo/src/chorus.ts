/** How long others may join in, in milliseconds. */
const windowMs = 1_000;

/** Many processes meet the same trouble at once, and each of them reports it: of a kind, one line is told. */
export class Chorus {
  readonly #tell: (text: string) => void;
  readonly #voices = new Map<string, { readonly text: string; count: number }>();

  constructor(tell: (text: string) => void) {
    this.#tell = tell;
  }

  /** Messages are of a kind when they differ only in what they quote. */
  say(message: string): void {
    const kind = message.replace(/"[^"]*"/g, '"…"');
    const voice = this.#voices.get(kind);
    if (voice === undefined) {
      this.#voices.set(kind, { text: message, count: 1 });
      setTimeout(() => this.#end(kind), windowMs).unref();
    } else {
      voice.count += 1;
    }
  }

  /** Tells at once what has been said. */
  flush(): void {
    for (const kind of this.#voices.keys()) this.#end(kind);
  }

  #end(kind: string): void {
    const voice = this.#voices.get(kind);
    this.#voices.delete(kind);
    if (voice !== undefined) this.#tell(voice.count === 1 ? voice.text : `${voice.count} × ${kind}`);
  }
}
