import { permissions, type Acl } from './protocol/requests.ts';

/**
 * - `open`: everybody may do everything, as Curator does by default
 * - `creator`: whoever has the credentials of the creator, and nobody else
 * - `creator-world-read`: the creator; everybody else may read
 */
export type CreatorAcl = 'open' | 'creator' | 'creator-world-read';

const creator: Acl = { permissions: permissions.all, scheme: 'auth', id: '' };
const world = (granted: number): Acl => ({ permissions: granted, scheme: 'world', id: 'anyone' });

const lists: Readonly<Record<CreatorAcl, readonly Acl[]>> = {
  open: [world(permissions.all)],
  creator: [creator],
  'creator-world-read': [creator, world(permissions.read)],
};

export function aclOf(acl: CreatorAcl | readonly Acl[]): readonly Acl[] {
  return typeof acl === 'string' ? lists[acl] : acl;
}
