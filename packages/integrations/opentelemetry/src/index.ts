export { AlreadyInstrumentedError } from './errors.ts';
export { instrument, type Instrumentation, type InstrumentOptions } from './instrument.ts';
