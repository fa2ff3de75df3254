import type { EventPattern } from 'aws-cdk-lib/aws-events';
import type { TagFilter } from './tag-filter';
import { renderForEvents } from './tag-patterns';

const IMAGE_MEDIA_TYPES = ['application/vnd.docker.container.image.v1+json', 'application/vnd.oci.image.config.v1+json'];

/** Repositories, and which of their tags count. */
export interface PushedImages {
  readonly repositoryNames: string[];
  readonly tags: TagFilter;
}

/**
 * Events that say that an image with a wanted tag arrived in one of the repositories: by a push, by replication from
 * another region or account, or by a pull-through cache. A pattern on a field also demands that the field is there, so
 * untagged children of a multi-architecture image match nothing.
 *
 * @see https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html
 */
export function pushPattern(account: string, region: string, images: PushedImages[]): EventPattern {
  const anyOf = images.map(image => ({ 'repository-name': image.repositoryNames, 'image-tag': renderForEvents(image.tags) }));
  return {
    source: ['aws.ecr'],
    account: [account],
    region: [region],
    detailType: ['ECR Image Action', 'ECR Replication Action', 'ECR Pull Through Cache Action'],
    detail: {
      ...(anyOf.length === 1 ? anyOf[0] : { $or: anyOf }),
      // Newer events name what was pushed: no charts, SBOMs or other artifacts.
      'artifact-media-type': [{ exists: false }, '', ...IMAGE_MEDIA_TYPES],
      // The first two of a push and of a replication, the third of a pull-through cache.
      'action-type': [{ exists: false }, 'PUSH', 'REPLICATE'],
      'result': [{ exists: false }, 'SUCCESS'],
      'sync-status': [{ exists: false }, 'SUCCESS'],
    },
  };
}
