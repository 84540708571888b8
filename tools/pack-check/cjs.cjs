const client = require('@sd/client');
const memory = require('@sd/memory');

console.log(Object.keys({ ...client, ...memory }));
