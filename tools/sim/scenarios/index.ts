import type { Scenario } from '../scenario.ts';
import { slowServer } from './s1-slow-server.ts';

export const scenarios: readonly Scenario[] = [slowServer];
