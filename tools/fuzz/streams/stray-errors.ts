/** What nobody catches would end the process of a user. */
export function strayErrors(): { end(): void } {
  const strays: unknown[] = [];
  const note = (error: unknown): void => void strays.push(error);
  process.on('uncaughtException', note).on('unhandledRejection', note);
  return {
    /** @throws the first of them */
    end() {
      process.off('uncaughtException', note).off('unhandledRejection', note);
      if (strays.length === 0) return;
      const [first] = strays;
      throw first instanceof Error ? first : new Error(String(first));
    },
  };
}
