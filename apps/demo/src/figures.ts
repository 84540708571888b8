/** Numbers as people read them. */
export const count = (value: number): string => value.toLocaleString('en-US');
export const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
/** Whole ones, without the unit. */
export const milliseconds = (ms: number | undefined): string => (ms === undefined ? '-' : ms.toFixed(0));
