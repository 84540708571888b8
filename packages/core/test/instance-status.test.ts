import { expect, it } from 'vitest';
import { instanceStatuses, takesRequests } from '../src/index.ts';

it('instances take requests when they are healthy, degraded or of unknown health', () => {
  expect(instanceStatuses.filter(takesRequests)).toEqual(['healthy', 'degraded', 'unknown']);
});
