import { loadAllYaml } from '@kubernetes/client-node';
import { describe, expect, it } from 'vitest';
import { eventually } from '@sd/testkit';
import { example } from './clusters.ts';
import { openApi, openBackend, openWatch } from './open-backend.ts';

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly rules?: unknown;
  readonly spec?: { readonly template?: { readonly spec?: { readonly serviceAccountName?: string } } };
}

const read = (name: string): readonly Manifest[] => loadAllYaml(example(name)) as Manifest[];
const rules = [{ apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] }];

describe('examples', () => {
  it.each([
    ['rbac.yaml', 'Role'],
    ['rbac-all-namespaces.yaml', 'ClusterRole'],
  ])('%s grants what the backend asks for', async (file, kind) => {
    expect(read(file).find((each) => each.kind === kind)?.rules).toEqual(rules);
    const api = await openApi();
    api.rights.set(
      'reader',
      rules.flatMap(({ verbs }) => verbs),
    );
    const backend = openBackend({ url: api.url, token: 'readertoken' });
    await backend.listServices();
    await openWatch(backend);
    await eventually(() => expect(api.watches).toBe(1));
  });

  it('deployment.yaml has its account from rbac.yaml, and asks for what is there', () => {
    const [manifests, accounts] = [read('deployment.yaml'), read('rbac.yaml')];
    const consumer = manifests.find(
      ({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'consumer',
    );
    const account = accounts.find(({ kind }) => kind === 'ServiceAccount')?.metadata.name;
    expect(consumer?.spec?.template?.spec?.serviceAccountName).toBe(account);
    expect(manifests.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toContain('Service orders');
  });
});
