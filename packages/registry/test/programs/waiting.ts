/** Awaits a registration that takes 300 ms, with nothing else that keeps the process alive. */
import { setLogger } from '@sd/core';
import { ServiceRegistry } from '../../src/index.ts';
import { RecordingLogger, ScriptedBackend } from '../scripted-backend.ts';

setLogger(new RecordingLogger());
const backend = new ScriptedBackend();
backend.onRegister = () => new Promise((resolve) => setTimeout(resolve, 300).unref());
const registry = new ServiceRegistry({ backend });
const registration = await registry.register({ service: 'orders', host: '127.0.0.1', port: 8080 });
console.log(registration.state.value);
