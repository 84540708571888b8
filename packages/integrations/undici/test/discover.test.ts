import { Agent, fetch, interceptors, request } from 'undici';
import { describe, expect, it, onTestFinished } from 'vitest';
import { discover } from '../src/index.ts';
import { answering, echo, listen, portOf, startService } from './fixture.ts';

describe('discover', () => {
  it('sends requests to services on to the agent with the origin of an instance', async () => {
    const { discovery, instances } = await startService([answering(503), echo]);
    const origins: string[] = [];
    const agent = new Agent().on('connect', (origin) => origins.push(origin.origin));
    onTestFinished(() => agent.destroy());
    const dispatcher = agent.compose(discover({ discovery }));
    const response = await fetch('http://orders/items', { dispatcher });
    expect(await response.json()).toMatchObject({ url: '/items' });
    expect(origins).toContain(`http://127.0.0.1:${instances[1]?.port ?? 0}`);
  });

  it('passes other hosts through', async () => {
    const { discovery } = await startService([]);
    const server = await listen(answering(200, 'a place'));
    const agent = new Agent();
    onTestFinished(() => agent.destroy());
    const dispatcher = agent.compose(discover({ discovery }));
    const { body } = await request(`http://127.0.0.1:${portOf(server)}/`, { dispatcher });
    expect(await body.text()).toBe('a place');
  });

  it('works among the interceptors of undici', async () => {
    const { discovery, at, publish } = await startService([
      answering(302, '', { location: 'http://users/7' }),
    ]);
    const users = await listen(answering(200, 'Ada'));
    await publish({ service: 'users', port: portOf(users) });
    const agent = new Agent();
    onTestFinished(() => agent.destroy());
    const dispatcher = agent.compose(
      discover({ discovery }),
      interceptors.redirect({ maxRedirections: 3 }),
      interceptors.retry(),
    );
    const { body } = await request('http://orders/1/user', { dispatcher });
    expect(await body.text()).toBe('Ada');
    expect(at(0).requests).toEqual(['GET /1/user']);
  });
});
