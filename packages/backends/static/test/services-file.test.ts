import { describe, expect, it } from 'vitest';
import { BackendUnavailableError, ConfigValidationError } from '@sd/core';
import type { StaticBackend } from '../src/index.ts';
import { hosts, openBackend } from './open-backend.ts';
import { listing, ServicesFolder } from './services-folder.ts';

async function openText(text: string, name = 'services.yaml') {
  const folder = await ServicesFolder.create();
  await folder.edit(text, name);
  return { folder, ...openBackend(folder.file(name)) };
}

describe('a file of services', () => {
  const services = { orders: ['http://10.0.0.1:8080', { host: '10.0.0.2', port: 8080, zone: 'eu-1' }] };
  const yaml = `
x-defaults: &eu { zone: eu-1, port: 8080 }
services:
  orders:
    - http://10.0.0.1:8080
    - { <<: *eu, host: 10.0.0.2 }
`;

  it.each([
    ['services.json', JSON.stringify({ services })],
    ['services.json', `\uFEFF${JSON.stringify({ services }, null, '\t')}`],
    ['services.yaml', yaml],
    ['services.yml', yaml],
    ['services', JSON.stringify({ services })],
  ])('may be JSON or YAML: %s', async (name, text) => {
    const { backend } = await openText(text, name);
    expect(await backend.getInstances('orders')).toMatchObject([
      { id: 'orders-10.0.0.1-8080', registeredAt: 0 },
      { id: 'orders-10.0.0.2-8080', zone: 'eu-1', registeredAt: 0 },
    ]);
    expect(await backend.listServices()).toEqual(['orders']);
    expect(backend.malformed.count).toBe(0);
  });

  it('keeps fields that a newer version knows', async () => {
    const { backend } = await openText('services: { orders: [{ host: a, port: 80, shard: { of: 3 } }] }');
    expect(await backend.getInstances('orders')).toMatchObject([{ shard: { of: 3 } }]);
  });

  it('costs nothing but the entry when an entry is wrong, and counts each once', async () => {
    const { backend, warnings, folder } = await openText(`
services:
  orders:
    - http://10.0.0.1:8080
    - { host: 10.0.0.2, port: 70000 }
    - http://10.0.0.3:8080/path
    - { host: 10.0.0.4, port: 8080, service: payments }
    - 8080
    - http://10.0.0.1:8080
  pay/ments: [http://10.0.0.5:8080]
  invoices: http://10.0.0.6:8080
`);
    expect(hosts(await backend.getInstances('orders'))).toEqual(['10.0.0.1']);
    expect(await backend.listServices()).toEqual(['orders']);
    const problems = backend.malformed.recent.map(({ key, problem }) => `${key}: ${problem}`);
    expect(problems.map((problem) => problem.replace(`${folder.file()}:`, ''))).toEqual([
      'services.orders.1: 5:31: "port" is 70000, expected a whole number from 1 to 65535',
      'services.orders.2: 6:7: it is "http://10.0.0.3:8080/path", expected a URL that ends after the port',
      'services.orders.3: 7:46: "service" is "payments", expected "orders" from its place',
      'services.orders.4: 8:7: it is 8080, expected a URL, or an object with host and port',
      'services.orders.5.id: 9:7: it is "orders-10.0.0.1-8080", expected an id of its own',
      'services.pay/ments: 10:14: it is "pay/ments", expected a name of 1 to 128 letters, digits, ".", "_" or "-" that starts and ends with a letter or digit',
      'services.invoices: 11:13: it is "http://10.0.0.6:8080", expected an array of URLs or instances',
    ]);
    expect(backend.malformed.count).toBe(7);
    expect(warnings).toHaveLength(7);
  });
});

describe('the place of a bad entry', () => {
  const json = '{\n  "services": {\n    "orders": [\n      { "host": "a", "port": "80a" }\n    ]\n  }\n}';
  const placeIn = async (text: string, name?: string) => {
    const { backend, folder } = await openText(text, name);
    await backend.listServices();
    const [entry] = backend.malformed.recent;
    return entry?.problem.replace(folder.file(name), name ?? 'services.yaml');
  };

  it('is told for JSON too', async () => {
    const problem = await placeIn(json, 'services.json');
    expect(problem).toBe('services.json:4:30: "port" is "80a", expected a whole number from 1 to 65535');
  });

  it('is that of the field, however deep', async () => {
    expect(
      await placeIn('services:\n  orders:\n    - host: a\n      port: 80\n      metadata:\n        shard: 3'),
    ).toMatch(/^services.yaml:6:16: "metadata.shard" is 3/);
  });

  it('is told where JSON names something twice', async () => {
    const twice = json.replace('"services"', '"x": 1, "x": 2, "services"');
    expect(await placeIn(twice, 'services.json')).toMatch(/^services.json:4:30: "port" is "80a"/);
  });

  it('is that of the entry when the field is missing', async () => {
    expect(await placeIn('services:\n  web.shop:\n    - host: a')).toMatch(
      /^services.yaml:3:7: "port" is missing/,
    );
  });

  it('is that of the anchor when an alias stands for it', async () => {
    expect(await placeIn('x: &x\n  - 8080\nservices:\n  orders: *x')).toMatch(
      /^services.yaml:2:5: it is 8080/,
    );
  });

  it('is the file alone where to look for it would take long', async () => {
    const long = json.replace('"services"', `"x": "${'x'.repeat(1_100_000)}", "services"`);
    expect(await placeIn(long, 'services.json')).toMatch(/^services.json: "port" is "80a"/);
  });
});

describe('a file that cannot be served from the start', () => {
  it.each([
    ['services.yaml', 'services:\n  orders:\n    - {host: a', '3:15', 'valid YAML'],
    ['services.yaml', 'services:\n  orders: [*eu]', '2:12', 'valid YAML'],
    ['services.yaml', 'services: {}\n---\nservices: {}', '2:1', 'valid YAML'],
    ['services.yaml', 'services:\n  orders: []\n  orders: []', '3:3', 'Map keys must be unique'],
    ['services.json', '{\n  "services": { "orders": oops }\n}', '2:27', 'valid JSON'],
    ['services.json', '{\n  "services": []\n}', '2:15', 'an object of service names'],
    ['services.yaml', 'service: {}', '1:1', '"services" is missing'],
    ['services.yaml', 'a: 1\nservices:', '2:10', '"services" is null'],
    ['services.yaml', '', '1:1', '"services" is missing'],
  ])('fails reads and watches naming file, line and column: %s %j', async (name, text, place, problem) => {
    const { backend, folder } = await openText(text, name);
    const reads = [
      backend.getInstances('orders'),
      backend.listServices(),
      backend.watch('orders', { signal: new AbortController().signal }).next(),
    ];
    for (const { reason } of await rejections(reads)) {
      expect(reason).toBeInstanceOf(ConfigValidationError);
      expect(reason).toHaveProperty('message', expect.stringContaining(`${folder.file(name)}:${place}: `));
      expect(reason).toHaveProperty('message', expect.stringContaining(problem));
    }
  });

  it('says why it cannot be read', async () => {
    const folder = await ServicesFolder.create();
    const { backend } = openBackend(folder.file());
    const read = backend.getInstances('orders');
    await expect(read).rejects.toBeInstanceOf(BackendUnavailableError);
    await expect(read).rejects.toThrow(`cannot read "${folder.file()}": ENOENT`);
    await expect(openBackend(folder.path).backend.listServices()).rejects.toThrow('no regular file');
  });

  it('is refused when a document would explode', async () => {
    const lines = Array.from({ length: 9 }, (_, n) => `x${n + 1}: &x${n + 1} [${`*x${n},`.repeat(9)}]`);
    const { backend } = await openText(`x0: &x0 lol\n${lines.join('\n')}\nservices: {}`);
    await expect(backend.listServices()).rejects.toThrow('Excessive alias count');
  });

  it('tells of a wrong anchor about as soon as it is read, however many right ones come before', async () => {
    const entries = Array.from({ length: 1_500 }, (_, n) => `    - { <<: *eu, host: h${n} }`);
    const good = ['x: &eu { port: 80 }', 'services:', '  orders:', ...entries].join('\n');
    const timed = async (text: string, read: (backend: StaticBackend) => Promise<unknown>) => {
      const { backend } = await openText(text);
      const begin = performance.now();
      await read(backend);
      return performance.now() - begin;
    };
    const goodMs = await timed(good, (backend) => backend.listServices());
    const wrongMs = await timed(`${good}\n    - { <<: *ue, host: a }`, (backend) =>
      expect(backend.listServices()).rejects.toThrow(/services.yaml:1504:13: /),
    );
    expect(wrongMs / goodMs).toBeLessThan(10);
  });

  it('is read in a time that grows with its length alone, however many services it has', async () => {
    const readMs = async (count: number): Promise<number> => {
      const services = Array.from({ length: count }, (_, n) => `  s${n}: [http://10.0.0.1:80]`);
      const { backend } = await openText(['services:', ...services].join('\n'));
      const begin = performance.now();
      expect(await backend.listServices()).toHaveLength(count);
      return performance.now() - begin;
    };
    const fewMs = await readMs(4_000);
    expect((await readMs(20_000)) / fewMs).toBeLessThan(12);
  });

  // Near the end of the stack V8 may end the process, as it cannot compile a regular expression there.
  it.each([
    ['services.yaml', `services: ${'['.repeat(20_000)}`, '1:111'],
    ['services.yaml', `services:\n${'- '.repeat(20_000)}`, '2:1'],
    ['services.json', `{"services": ${'['.repeat(20_000)}`, '1:113'],
  ])('is refused when it is nested without end: %s', async (name, text, place) => {
    const { backend } = await openText(text, name);
    await expect(backend.listServices()).rejects.toMatchObject({
      message: expect.stringContaining(
        `${name}:${place}: the value is nested deeper than 100 levels`,
      ) as string,
    });
  });

  it('tells a mistake in what is nested without end, though not its place', async () => {
    const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
    const text = `{"services": {"orders": ["http://10.0.0.1:80", ${deep}]}}`;
    const { backend } = await openText(text, 'services.json');
    expect(hosts(await backend.getInstances('orders'))).toEqual(['10.0.0.1']);
    expect(backend.malformed.count).toBe(1);
  });

  it('is served as soon as it is right', async () => {
    const { backend, folder } = await openText('services:');
    await expect(backend.getInstances('orders')).rejects.toBeInstanceOf(ConfigValidationError);
    await folder.edit(listing('orders', 'http://10.0.0.1:80'));
    expect(hosts(await backend.getInstances('orders'))).toEqual(['10.0.0.1']);
  });
});

async function rejections(promises: readonly Promise<unknown>[]): Promise<readonly PromiseRejectedResult[]> {
  const settled = await Promise.allSettled(promises);
  return settled.map((result) => {
    if (result.status === 'rejected') return result;
    throw new Error('it did not fail');
  });
}
