/** Loses its registration while the store is down, and has nothing else to do: it must end by itself. */
import { setLogger } from '@sd/core';
import { ServiceRegistry } from '../../src/index.ts';
import { RecordingLogger, ScriptedBackend } from '../scripted-backend.ts';

setLogger(new RecordingLogger());
const backend = new ScriptedBackend();
const registry = new ServiceRegistry({ backend, shutdownSignals: ['SIGTERM'] });
const { instance } = await registry.register({ service: 'orders', host: '127.0.0.1', port: 8080 });
backend.onRegister = () => Promise.reject(new Error('down'));
backend.lose(instance.id, 'store-lost');
process.on('exit', () => console.log('ends by itself'));
