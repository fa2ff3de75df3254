import type { EcrEvent } from '../../testbed/engines/ecr-events';
import { ecrEvent } from '../../testbed/engines/ecr-events';
import { CONFIG_MEDIA_TYPE as IMAGE, IMAGE_MEDIA_TYPE as MANIFEST } from '../../testbed/engines/oci-layout';
import { ACCOUNT } from '../../testbed/place';

const DOCKER_IMAGE = 'application/vnd.docker.container.image.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';

/** A push; what `changes` sets to undefined is left out. */
export function push(repository: string, tag: string | undefined, changes: Record<string, string | undefined> = {}, place = {}): EcrEvent {
  return ecrEvent('ECR Image Action', {
    'result': 'SUCCESS',
    'repository-name': repository,
    'image-digest': 'sha256:7f5b2640fe6fb4f46592dfd3410c4a79dac4f89e4782432e0378abcd12345678',
    'action-type': 'PUSH',
    'image-tag': tag,
    'manifest-media-type': MANIFEST,
    'artifact-media-type': IMAGE,
    ...changes,
  }, place);
}

export function replication(repository: string, tag: string, result = 'SUCCESS', place = {}): EcrEvent {
  return ecrEvent('ECR Replication Action', {
    'result': result,
    'repository-name': repository,
    'image-digest': 'sha256:7f5b2640fe6fb4f46592dfd3410c4a79dac4f89e4782432e0378abcd12345678',
    'source-account': ACCOUNT,
    'action-type': 'REPLICATE',
    'source-region': 'us-west-2',
    'image-tag': tag,
  }, place);
}

export function pullThrough(repository: string, tag: string, status = 'SUCCESS'): EcrEvent {
  return ecrEvent('ECR Pull Through Cache Action', {
    'rule-version': '1',
    'sync-status': status,
    'ecr-repository-prefix': repository.split('/')[0],
    'repository-name': repository,
    'upstream-registry-url': 'public.ecr.aws',
    'image-tag': tag,
    'image-digest': 'sha256:4aaa4aaa4aaa4aaa4aaa4aaa4aaa4aaa4aaa4aaa4aaa4aaa4aaa4aaa4aaa4aaa',
    ...(status === 'SUCCESS' ? {} : { 'failure-code': 'LAYER_TIMEOUT', 'failure-reason': 'The upstream registry did not answer' }),
  });
}

const SIGNED = 'sha256-7f5b2640fe6fb4f46592dfd3410c4a79dac4f89e4782432e0378abcd12345678';
const OTHER_ACCOUNT = '210987654321';

/** Whatever happens in the repository `team/app`, and beside it. */
export const ECR_EVENTS = {
  'push of v1.2.0': push('team/app', 'v1.2.0'),
  'push of v1.3.0-rc': push('team/app', 'v1.3.0-rc'),
  'push of latest': push('team/app', 'latest'),
  'push of build-7-prod': push('team/app', 'build-7-prod'),
  'push of a Docker image': push('team/app', 'v1.2.0', { 'manifest-media-type': 'application/vnd.docker.distribution.manifest.v2+json', 'artifact-media-type': DOCKER_IMAGE }),
  'push without media types': push('team/app', 'v1.2.0', { 'manifest-media-type': undefined, 'artifact-media-type': undefined }),
  'push of a multi-architecture index': push('team/app', 'v1.2.0', { 'manifest-media-type': INDEX, 'artifact-media-type': undefined }),
  'push of an index with an empty media type': push('team/app', 'v1.2.0', { 'manifest-media-type': INDEX, 'artifact-media-type': '' }),
  'untagged child of an index': push('team/app', undefined),
  'child of an index with an empty tag': push('team/app', ''),
  'push by digest only': push('team/app', undefined, { 'artifact-media-type': undefined, 'manifest-media-type': undefined }),
  'cosign signature': push('team/app', `${SIGNED}.sig`, { 'artifact-media-type': IMAGE }),
  'attestation': push('team/app', `${SIGNED}.att`),
  'SBOM by its tag': push('team/app', `${SIGNED}.sbom`),
  'SBOM by its media type': push('team/app', 'v1.2.0', { 'artifact-media-type': 'application/spdx+json' }),
  'referrers fallback tag': push('team/app', SIGNED, { 'manifest-media-type': INDEX, 'artifact-media-type': undefined }),
  'Helm chart': push('team/app', 'v1.2.0', { 'artifact-media-type': 'application/vnd.cncf.helm.config.v1+json' }),
  'SOCI index': push('team/app', 'v1.2.0', { 'artifact-media-type': 'application/vnd.amazon.soci.index.v2+json' }),
  'deletion': push('team/app', 'v1.2.0', { 'action-type': 'DELETE' }),
  'failed push': push('team/app', 'v1.2.0', { result: 'FAILURE' }),
  'scan': ecrEvent('ECR Image Scan', { 'scan-status': 'COMPLETE', 'repository-name': 'team/app', 'image-digest': 'sha256:7f', 'image-tag': 'v1.2.0' }),
  'referrer': ecrEvent('ECR Referrer Action', { 'result': 'SUCCESS', 'repository-name': 'team/app', 'action-type': 'PUSH', 'image-tag': 'v1.2.0' }),
  'replication of v1.2.0': replication('team/app', 'v1.2.0'),
  'failed replication': replication('team/app', 'v1.2.0', 'FAILURE'),
  'pull-through cache of v1.2.0': pullThrough('team/app', 'v1.2.0'),
  'failed pull-through cache': pullThrough('team/app', 'v1.2.0', 'FAILED'),
  'other repository': push('team/other', 'v1.2.0'),
  'repository with a longer name': push('team/app-2', 'v1.2.0'),
  'repository of another folder': push('app', 'v1.2.0'),
  'other account': push('team/app', 'v1.2.0', {}, { account: OTHER_ACCOUNT }),
  'other region': push('team/app', 'v1.2.0', {}, { region: 'eu-west-1' }),
  'the same event from another source': { ...push('team/app', 'v1.2.0'), source: 'custom.ecr' },
} as const;

export type EventName = keyof typeof ECR_EVENTS;
