import { freePorts } from '../servers/free-ports.ts';

// Takes a port, says which, and stays.
const [port] = await freePorts(1);
console.log(port);
process.stdin.resume();
