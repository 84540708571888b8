/** Loses its registration and reports its health while the store is down, and has nothing else to do: it must end. */
import { setLogger } from '@sd/core';
import { ServiceRegistry } from '../../src/index.ts';
import { RecordingLogger, ScriptedBackend } from '../scripted-backend.ts';

setLogger(new RecordingLogger());
const backend = new ScriptedBackend();
const registry = new ServiceRegistry({ backend, shutdownSignals: ['SIGTERM'] });
const registration = await registry.register({ service: 'orders', host: '127.0.0.1', port: 8080 });
backend.onRegister = () => Promise.reject(new Error('down'));
backend.lose(registration.instance.id, 'store-lost');
void registration.reportHealth('unhealthy');
process.on('exit', () => console.log('ends by itself'));
