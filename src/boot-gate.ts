import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Duration, Stack } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import type { IConstruct } from 'constructs';
import type { BootGateOptions } from './boot-gate-options';
import { validateDuration, validateFlag, validateKind, validateOptions } from './validate-kind';

/** The systemd unit that waits, and how user data that has a gate is known. */
const UNIT = 'image-prefetcher-boot-gate.service';

/**
 * The gate of a prefetcher: user data that makes the kubelet wait, and names the SSM document that says for what. The
 * list of images is not in it, so that the launch template, and with it the running nodes, stay as they are.
 */
export class BootGate {
  private readonly script: string;
  private readonly nodeConfig?: string;

  constructor(private readonly prefetcher: IConstruct, documentName: string, options: BootGateOptions) {
    const what = `the boot gate of '${prefetcher.node.path}'`;
    validateOptions(what, options);
    validateDuration(`maxWait of ${what}`, options.maxWait);
    validateFlag(`fastImagePull of ${what}`, options.fastImagePull);
    const values: { [placeholder: string]: string } = {
      BOOT_GATE: asset('boot_gate.py').trimEnd(),
      DOCUMENT: documentName,
      REGION: Stack.of(prefetcher).region,
      SUFFIX: Stack.of(prefetcher).urlSuffix,
      SECONDS: String(secondsToWait(prefetcher, options.maxWait ?? Duration.minutes(5))),
    };
    this.script = asset('user-data.sh').replace(/@([A-Z_]+)@/g, (_, placeholder) => values[placeholder]);
    this.nodeConfig = options.fastImagePull ? asset('node-config.yaml') : undefined;
  }

  /** Other parts stay as they are. */
  public addTo(userData: ec2.MultipartUserData): void {
    validateKind(`userData of the boot gate of '${this.prefetcher.node.path}'`, 'a MultipartUserData', 'addPart', [userData],
      'other user data goes into one by MultipartBody.fromUserData()');
    if (userData.render().includes(UNIT)) {
      throw new Error(`userData of the boot gate of '${this.prefetcher.node.path}' has a boot gate already, and a node waits at one only: give one prefetcher all the images that the first pods of these nodes need`);
    }
    userData.addPart(ec2.MultipartBody.fromRawBody({ contentType: 'text/x-shellscript; charset="utf-8"', body: this.script }));
    if (this.nodeConfig) {
      userData.addPart(ec2.MultipartBody.fromRawBody({ contentType: 'application/node.eks.aws', body: this.nodeConfig }));
    }
  }

  public render(): string {
    const userData = new ec2.MultipartUserData();
    this.addTo(userData);
    return userData.render();
  }
}

function secondsToWait(prefetcher: IConstruct, maxWait: Duration): number {
  const seconds = maxWait.isUnresolved() ? NaN : maxWait.toSeconds({ integral: false });
  if (!Number.isInteger(seconds) || seconds < 30 || seconds > 600) {
    const got = maxWait.isUnresolved() ? 'a token' : maxWait.toHumanString();
    throw new Error(`maxWait of the boot gate of '${prefetcher.node.path}' must be whole seconds from 30 seconds to 10 minutes, got ${got}: EKS and Karpenter give up on nodes that take much longer to join`);
  }
  return seconds;
}

function asset(name: string): string {
  return readFileSync(join(__dirname, '..', 'assets', 'boot-gate', name), 'utf-8');
}
