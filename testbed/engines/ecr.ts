import type { Moto } from './moto';
import { sleep } from './processes';
import type { RegistryCredentials } from './registry';
import { ACCOUNT, REGION } from '../place';

export interface EcrImage {
  readonly repository: string;
  /** @default - an untagged image */
  readonly tag?: string;
  readonly digest: string;
  readonly manifest: string;
  readonly mediaType: string;
}

/** What DescribeImages says of an image. */
export interface EcrImageDetail {
  readonly imageDigest: string;
  readonly imageTags?: string[];
  readonly imageSizeInBytes?: number;
  readonly imagePushedAt: number;
}

/** The ECR of one account and region. Repositories of two accounts in one region must differ in name. */
export class Ecr {
  private readonly lastPush = new Map<string, number>();

  constructor(private readonly moto: Moto, readonly account = ACCOUNT, readonly region = REGION) {}

  /** Host name of the registry that this API describes. */
  get registryHost(): string {
    return `${this.account}.dkr.ecr.${this.region}.amazonaws.com`;
  }

  /** What GetAuthorizationToken gives to callers of this account. */
  get credentials(): RegistryCredentials {
    return { username: 'AWS', password: `${this.account}-auth-token` };
  }

  async createRepository(repositoryName: string): Promise<void> {
    await this.call('CreateRepository', { repositoryName });
  }

  async deleteRepository(repositoryName: string): Promise<void> {
    await this.call('DeleteRepository', { repositoryName, force: true });
  }

  async deleteImage(repositoryName: string, imageId: { imageTag?: string; imageDigest?: string }): Promise<void> {
    const { failures } = await this.call<{ failures: object[] }>('BatchDeleteImage', { repositoryName, imageIds: [imageId] });
    if (failures.length > 0) {
      throw new Error(`ECR did not delete the image: ${JSON.stringify(failures)}`);
    }
  }

  async describeImages(repositoryName: string): Promise<EcrImageDetail[]> {
    return (await this.call<{ imageDetails: EcrImageDetail[] }>('DescribeImages', { repositoryName })).imageDetails;
  }

  /** Makes an image known, as a push to ECR does. */
  async putImage(image: EcrImage): Promise<void> {
    const known = await this.describeImages(image.repository);
    if (known.some(other => other.imageDigest === image.digest && (!image.tag || other.imageTags?.includes(image.tag)))) {
      return;
    }
    await this.notInTheSameSecond(image.repository);
    const replaced = known
      .find(other => other.imageDigest !== image.digest && other.imageTags?.length === 1 && other.imageTags[0] === image.tag);
    await this.put(image, contentSize(image.manifest));
    this.lastPush.set(image.repository, secondsNow());
    if (replaced) {
      // moto forgets an image that loses its last tag; ECR keeps it untagged.
      const { tag, ...untagged } = image;
      await this.put({ ...untagged, digest: replaced.imageDigest, manifest: '{}' }, replaced.imageSizeInBytes);
    }
  }

  /** Calls an ECR action. */
  call<T>(action: string, parameters: object): Promise<T> {
    // moto keeps accounts apart; named by registry, all are in one and can be read from there, as a repository policy allows in AWS.
    return this.moto.call('ecr', this.region, `AmazonEC2ContainerRegistry_V20150921.${action}`, { registryId: this.account, ...parameters });
  }

  private async put(image: EcrImage, size?: number): Promise<void> {
    await this.call('PutImage', {
      repositoryName: image.repository,
      imageManifest: motoManifest(image, size),
      imageManifestMediaType: image.mediaType,
      imageTag: image.tag,
      imageDigest: image.digest,
    });
  }

  /** moto counts push times in whole seconds; "the newest" needs an order. */
  private async notInTheSameSecond(repository: string): Promise<void> {
    while (secondsNow() <= (this.lastPush.get(repository) ?? 0)) {
      await sleep(50);
    }
  }
}

function secondsNow(): number {
  return Math.floor(Date.now() / 1000);
}

/** Bytes of the layers; an index has none. */
function contentSize(manifest: string): number | undefined {
  const { layers } = JSON.parse(manifest) as { layers?: { size: number }[] };
  return layers?.reduce((sum, layer) => sum + layer.size, 0);
}

/** moto takes an image's size from its manifest's config, and two images with the same manifest for one. */
function motoManifest(image: EcrImage, size?: number): string {
  const content = { ...JSON.parse(image.manifest), digest: image.digest };
  return JSON.stringify(size === undefined ? content : { ...content, config: { ...content.config, size }, layers: content.layers ?? [] });
}
