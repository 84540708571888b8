import 'reflect-metadata';
import { Controller, Get, Module, Param } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ServiceClient } from '@sd/client';
import { MemoryBackend } from '@sd/memory';
import { DiscoveryModule, InjectServiceClient, SdHealthIndicator, SdRuntime } from '@sd/nestjs';

// In your program: one that all processes share, such as `new RedisBackend({ url })`.
const backend = new MemoryBackend();

@Controller()
class StockController {
  @Get(':item')
  find(@Param('item') item: string) {
    return { item, left: 3 };
  }
}

@Module({
  imports: [
    DiscoveryModule.forRoot({ backend, service: 'stock', registry: { drain: { propagationMs: 100 } } }),
  ],
  controllers: [StockController],
})
class StockModule {}

@Controller()
class ShopController {
  constructor(@InjectServiceClient('stock') private readonly stock: ServiceClient) {}

  @Get(':item')
  async sell(@Param('item') item: string) {
    const { left } = await this.stock.get(`/${item}`).json<{ left: number }>();
    return `${item}: ${left} left`;
  }
}

@Module({ imports: [DiscoveryModule.forFeature(['stock'])], controllers: [ShopController] })
class ShopModule {}

@Module({ imports: [DiscoveryModule.forRootAsync({ useFactory: () => ({ backend }) }), ShopModule] })
class AppModule {}

const stock = await NestFactory.create(StockModule);
await stock.listen(0);
const { instance } = await stock.get(SdRuntime).registration;
console.log(instance.service, instance.status); // prints: stock healthy

const shop = await NestFactory.create(AppModule);
await shop.listen(0, '127.0.0.1');
const answer = await fetch(`${await shop.getUrl()}/apples`);
console.log(await answer.text()); // prints: apples: 3 left

await stock.close(); // consumers hear of it, then the server closes
console.log(await shop.get(SdHealthIndicator).isHealthy('stock')); // prints: status: 'down'

await shop.close();
await backend.close();
