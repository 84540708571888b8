import { Module, type DynamicModule, type FactoryProvider } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { DiscoveryClient } from '@sd/discovery';
import { ServiceRegistry } from '@sd/registry';
import { getServiceClientToken } from './inject.ts';
import {
  checkAsyncOptions,
  checkClients,
  checkClientSpec,
  checkMadeOptions,
  checkModuleOptions,
  type DiscoveryModuleAsyncOptions,
  type DiscoveryModuleOptions,
  type DiscoveryModuleScope,
  type ServiceClientSpec,
} from './module-options.ts';
import { SdHealthIndicator } from './sd-health-indicator.ts';
import { SdRuntime } from './sd-runtime.ts';

/** Registers a Nest app once it listens, drains it before it closes, and provides clients of other services. */
// eslint-disable-next-line @typescript-eslint/no-extraneous-class -- Nest tells modules by their class
export class DiscoveryModule {
  /** Once in an app. @throws {ConfigValidationError} naming each wrong option */
  static forRoot(options: DiscoveryModuleOptions & DiscoveryModuleScope): DynamicModule {
    checkModuleOptions(options);
    const { isGlobal, clients, ...made } = options;
    return root({ isGlobal, clients, useFactory: () => made });
  }

  /** The same with options that others provide, such as a `ConfigService`. */
  static forRootAsync(options: DiscoveryModuleAsyncOptions): DynamicModule {
    checkAsyncOptions(options);
    return root(options);
  }

  /** Clients for one module, to be injected with `@InjectServiceClient()`. Needs a `forRoot()` that is global. */
  static forFeature(clients: readonly ServiceClientSpec[]): DynamicModule {
    checkClients(clients);
    const providers = clients.map(clientProvider);
    return {
      module: DiscoveryModule,
      // Nest may tell modules by what they are made of, and what is in a function it does not see.
      providers: [...providers, { provide: specsToken, useValue: clients }],
      exports: providers.map(({ provide }) => provide),
    };
  }
}

// As functions: the syntax for decorators would need a compiler option in everybody's build.
Module({})(DiscoveryModule);

function root({
  isGlobal = true,
  clients = [],
  imports = [],
  inject = [],
  useFactory,
}: DiscoveryModuleAsyncOptions): DynamicModule {
  const providers: FactoryProvider[] = [
    { provide: optionsToken, inject, useFactory },
    {
      provide: SdRuntime,
      inject: [optionsToken, HttpAdapterHost],
      useFactory: (options: DiscoveryModuleOptions, host: HttpAdapterHost) =>
        new SdRuntime(checkMadeOptions(options), host),
    },
    { provide: DiscoveryClient, inject: [SdRuntime], useFactory: ({ discovery }: SdRuntime) => discovery },
    { provide: ServiceRegistry, inject: [SdRuntime], useFactory: ({ registry }: SdRuntime) => registry },
    {
      provide: SdHealthIndicator,
      inject: [DiscoveryClient],
      useFactory: (discovery: DiscoveryClient) => new SdHealthIndicator(discovery),
    },
    ...clients.map(clientProvider),
  ];
  const exports = providers.slice(1).map(({ provide }) => provide);
  return { module: DiscoveryModule, global: isGlobal, imports, providers, exports };
}

const optionsToken = 'sd:DiscoveryModuleOptions';
const specsToken = 'sd:ServiceClientSpecs';

function clientProvider(spec: ServiceClientSpec): FactoryProvider {
  const { service, options } = checkClientSpec(spec);
  return {
    provide: getServiceClientToken(service),
    inject: [SdRuntime],
    useFactory: (runtime: SdRuntime) => runtime.client(service, options),
  };
}
