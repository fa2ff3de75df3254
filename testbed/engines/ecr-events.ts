import * as crypto from 'node:crypto';
import { CONFIG_MEDIA_TYPE } from './images';

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

/** The event that ECR sends when an image was pushed. */
export function pushEvent(props: PushEventProps): EcrEvent {
  return {
    'version': '0',
    'id': crypto.randomUUID(),
    'detail-type': 'ECR Image Action',
    'source': 'aws.ecr',
    'account': props.account,
    'time': `${new Date().toISOString().slice(0, 19)}Z`,
    'region': props.region,
    'resources': [],
    'detail': {
      'result': 'SUCCESS',
      'repository-name': props.repository,
      'image-digest': props.digest,
      'action-type': 'PUSH',
      ...(props.tag ? { 'image-tag': props.tag } : {}),
      'manifest-media-type': props.mediaType,
      'artifact-media-type': CONFIG_MEDIA_TYPE,
    },
  };
}
