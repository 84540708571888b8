export { MemoryBackend, type MemoryBackendOptions } from './memory-backend.ts';
export { MemoryStore, type MemoryStoreOptions, type StoreLease, type StoreSnapshot } from './memory-store.ts';
