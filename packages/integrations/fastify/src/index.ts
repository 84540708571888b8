export type { SdFastifyOptions } from './options.ts';
export { sd } from './plugin.ts';
