import * as client from '@sd/client';
import * as memory from '@sd/memory';

console.log(Object.keys({ ...client, ...memory }));
