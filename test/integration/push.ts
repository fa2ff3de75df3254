import type { IRepository } from 'aws-cdk-lib/aws-ecr';
import type { DockerImageAsset } from 'aws-cdk-lib/aws-ecr-assets';
import * as sfn from 'aws-cdk-lib/aws-stepfunctions';
import { CallAwsService } from 'aws-cdk-lib/aws-stepfunctions-tasks';
import { Construct } from 'constructs';

const MANIFESTS = [
  'application/vnd.oci.image.manifest.v1+json', 'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json', 'application/vnd.docker.distribution.manifest.list.v2+json',
];

export interface PushProps {
  /** An image that no node has been told of. */
  readonly source: DockerImageAsset;
  readonly tag: string;
}

/** A push at the moment of the test's choosing: an execution gives the image of an asset another tag, which is a push to ECR. */
export class Push extends Construct {
  public readonly repository: IRepository;
  public readonly tag: string;
  public readonly image: string;
  public readonly stateMachineArn: string;

  constructor(scope: Construct, id: string, props: PushProps) {
    super(scope, id);
    this.repository = props.source.repository;
    this.tag = props.tag;
    this.image = this.repository.repositoryUriForTag(this.tag);

    // A run that was broken off leaves the tag, and tags of assets can't be moved.
    const untag = this.call('Untag', 'batchDeleteImage', { ImageIds: [{ ImageTag: this.tag }] });
    const read = this.call('Read', 'batchGetImage', { ImageIds: [{ ImageTag: props.source.imageTag }], AcceptedMediaTypes: MANIFESTS });
    const tag = this.call('Tag', 'putImage', {
      'ImageTag': this.tag,
      'ImageManifest.$': '$.Images[0].ImageManifest',
      'ImageManifestMediaType.$': '$.Images[0].ImageId.ImageManifestMediaType',
    });
    this.stateMachineArn = new sfn.StateMachine(this, 'StateMachine', { definitionBody: sfn.DefinitionBody.fromChainable(untag.next(read).next(tag)) }).stateMachineArn;
  }

  private call(id: string, action: string, parameters: Record<string, unknown>): CallAwsService {
    return new CallAwsService(this, id, {
      service: 'ecr',
      action,
      parameters: { RepositoryName: this.repository.repositoryName, ...parameters },
      iamResources: [this.repository.repositoryArn],
    });
  }
}
