import { describeBackend } from '@sd/testkit';
import { memoryHarness } from './memory-harness.ts';

describeBackend('@sd/memory', () => memoryHarness());
