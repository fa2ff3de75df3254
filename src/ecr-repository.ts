import { Stack } from 'aws-cdk-lib';
import type { aws_ecr } from 'aws-cdk-lib/interfaces';
import type { IConstruct } from 'constructs';
import { ecrHost } from './ecr-hosts';
import type { EcrRepositoryLocation, ImageSelectionConfig } from './image-selection-config';
import { isBeforeLookup } from './known-later';
import { spelledOut } from './spelled-out';

/** Where the images of a repository are. */
export function imageOfRepository(scope: IConstruct, repository: aws_ecr.IRepositoryRef): ImageSelectionConfig {
  const reference = repository.repositoryRef;
  const repositoryArn = spelledOut(scope, reference.repositoryArn);
  // An ARN that is spelled out knows better than `env`: Repository.fromRepositoryAttributes() leaves that at the stack's.
  const parts = repositoryArn.split(':');
  const [, , , region, account] = parts.length >= 6 && !isBeforeLookup(repositoryArn) ? parts : [];
  const location = { account: account ?? repository.env.account, region: region ?? repository.env.region, repositoryArn };
  return ecrImage(location, spelledOut(scope, reference.repositoryName));
}

/** Where the images of a repository are that is known by account, region and name. */
export function imageOfPlace(scope: IConstruct, { account, region }: { account: string; region: string }, path: string): ImageSelectionConfig {
  const repositoryArn = Stack.of(scope).formatArn({ service: 'ecr', account, region, resource: 'repository', resourceName: path });
  return ecrImage({ account, region, repositoryArn }, path);
}

function ecrImage(location: EcrRepositoryLocation, path: string): ImageSelectionConfig {
  return { host: ecrHost(location.account, location.region), path, ecr: location };
}
