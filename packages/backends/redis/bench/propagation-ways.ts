/** How a change gets from one process to another. */
export type Way = 'update' | 'publish' | 'script';

/** The service whose only instance is updated. */
export const propagated = 'orders';

/** Where the others publish. */
export const channels = { publish: 'bench:publish', script: 'bench:script' };
