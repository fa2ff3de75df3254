import type { Duration } from 'aws-cdk-lib';

/** Options of `ImagePrefetcher.addBootGate()` and `.renderBootGate()`. */
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
