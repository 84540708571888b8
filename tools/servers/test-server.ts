/** A real server, or several that form one, for tests. It is gone with everything it wrote when the process ends. */
export interface TestServer extends AsyncDisposable {
  /** Ends it for good and removes its folder. Idempotent. */
  stop(): Promise<void>;
  /** SIGKILL; resolves when the process is gone. Idempotent. */
  kill(): Promise<void>;
  /** Starts it again on the same ports after `kill()`; resolves when it is ready. */
  start(options?: StartOptions): Promise<void>;
  /** `kill()` and `start()`. */
  restart(options: Required<StartOptions>): Promise<void>;
  /** SIGSTOP: connections stay open, nothing is answered. */
  freeze(): void;
  /** SIGCONT: ends `freeze()`. */
  thaw(): void;
}

export interface StartOptions {
  /** Whether it finds its data again; `false` empties its data folder first. Default: true. */
  readonly keepData?: boolean;
}
