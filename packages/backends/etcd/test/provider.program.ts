import { setLogger, type ServiceInstance } from '@sd/core';
import { keepPublished, silentLogger } from '@sd/testkit';
import { EtcdBackend, type EtcdBackendOptions } from '../src/index.ts';

// Keeps an instance published until it is killed: see `RegistryHarness.providerProgram`.
const [options = '{}', instance = '{}', ttl] = process.argv.slice(2);
setLogger(silentLogger);
const backend = new EtcdBackend(JSON.parse(options) as EtcdBackendOptions);
await keepPublished(backend, JSON.parse(instance) as ServiceInstance, { ttl: Number(ttl) });
