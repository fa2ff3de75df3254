import * as crypto from 'node:crypto';
import { CONFIG_MEDIA_TYPE } from './oci-layout';
import { ACCOUNT, REGION } from '../place';

export interface PushEventProps {
  readonly account: string;
  readonly region: string;
  readonly repository: string;
  /** @default - a push without a tag, such as the parts of a multi-architecture image */
  readonly tag?: string;
  readonly digest: string;
  readonly mediaType: string;
}

/** An EventBridge event of ECR. */
export interface EcrEvent {
  readonly 'version': string;
  readonly 'id': string;
  readonly 'detail-type': string;
  readonly 'source': string;
  readonly 'account': string;
  readonly 'time': string;
  readonly 'region': string;
  readonly 'resources': string[];
  readonly 'detail': Record<string, string>;
}

/**
 * An event in the shape that AWS documents; what is undefined in its detail is left out.
 *
 * @see https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html
 */
export function ecrEvent(
  detailType: string, detail: Record<string, string | undefined>, { account = ACCOUNT, region = REGION }: { account?: string; region?: string } = {},
): EcrEvent {
  return {
    'version': '0',
    'id': crypto.randomUUID(),
    'detail-type': detailType,
    'source': 'aws.ecr',
    account,
    'time': `${new Date().toISOString().slice(0, 19)}Z`,
    region,
    'resources': detailType === 'ECR Image Action' ? [] : [`arn:aws:ecr:${region}:${account}:repository/${detail['repository-name']}`],
    'detail': JSON.parse(JSON.stringify(detail)),
  };
}

/** The event that ECR sends when an image was pushed. */
export function pushEvent({ account, region, repository, tag, digest, mediaType }: PushEventProps): EcrEvent {
  return ecrEvent('ECR Image Action', {
    'result': 'SUCCESS',
    'repository-name': repository,
    'image-digest': digest,
    'action-type': 'PUSH',
    'image-tag': tag || undefined,
    'manifest-media-type': mediaType,
    'artifact-media-type': CONFIG_MEDIA_TYPE,
  }, { account, region });
}
