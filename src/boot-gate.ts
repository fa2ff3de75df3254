import { readFileSync } from 'fs';
import { join } from 'path';
import { Duration, Stack } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import { ImagePrefetcher } from './image-prefetcher';

/** Options of a `BootGate`. */
export interface BootGateOptions {
  /**
   * How long the kubelet of a new node waits for the images, from 30 seconds to 10 minutes. EKS fails a managed node
   * that has not joined after about 15 minutes, and Karpenter ends it.
   *
   * @default Duration.minutes(5)
   */
  readonly maxWait?: Duration;

  /**
   * Whether the node pulls layers in parallel with the SOCI snapshotter (the nodeadm feature gate `FastImagePull`, experimental).
   * nodeadm ignores it on instances under 4 vCPU or 7 GiB. AWS found pulls to get slower on volumes under 600 MiB/s.
   *
   * @default false
   * @see https://awslabs.github.io/amazon-eks-ami/nodeadm/
   */
  readonly fastImagePull?: boolean;
}

/**
 * User data that makes the kubelet of a new AL2023 node wait, for a bounded time, until the wanted images are there: no
 * pod can be scheduled to a cold node. It fails open: at the bound, or when anything goes wrong, the kubelet starts.
 *
 * The user data names the prefetcher's SSM document and holds no list of images, so that a new image or a new version
 * of this library leaves the launch template, and with it the running nodes, as they are. A node takes the gate of one
 * prefetcher: give one prefetcher all the images that its first pods need.
 */
export class BootGate {
  private readonly script: string;
  private readonly nodeConfig?: string;

  /** @throws an error at synth when `maxWait` is out of its range */
  constructor(prefetcher: ImagePrefetcher, options: BootGateOptions = {}) {
    const seconds = (options.maxWait ?? Duration.minutes(5)).toSeconds({ integral: false });
    if (!Number.isInteger(seconds) || seconds < 30 || seconds > 600) {
      throw new Error(`maxWait must be whole seconds from 30 seconds to 10 minutes, got ${options.maxWait?.toHumanString()}: EKS and Karpenter give up on nodes that take much longer to join`);
    }
    const values: { [placeholder: string]: string } = {
      BOOT_GATE: asset('boot_gate.py').trimEnd(),
      DOCUMENT: prefetcher.documentName,
      REGION: Stack.of(prefetcher).region,
      SECONDS: String(seconds),
    };
    this.script = asset('user-data.sh').replace(/@([A-Z_]+)@/g, (_, placeholder) => values[placeholder]);
    this.nodeConfig = options.fastImagePull ? asset('node-config.yaml') : undefined;
  }

  /** Adds the gate to the user data of a launch template. Other parts stay as they are. */
  public addTo(userData: ec2.MultipartUserData): void {
    userData.addPart(ec2.MultipartBody.fromRawBody({ contentType: 'text/x-shellscript; charset="utf-8"', body: this.script }));
    if (this.nodeConfig) {
      userData.addPart(ec2.MultipartBody.fromRawBody({ contentType: 'application/node.eks.aws', body: this.nodeConfig }));
    }
  }

  /** The gate as a whole MIME multi-part text, for the `userData` of Karpenter's `EC2NodeClass`. */
  public renderUserData(): string {
    const userData = new ec2.MultipartUserData();
    this.addTo(userData);
    return userData.render();
  }
}

function asset(name: string): string {
  return readFileSync(join(__dirname, '..', 'assets', 'boot-gate', name), 'utf-8');
}
