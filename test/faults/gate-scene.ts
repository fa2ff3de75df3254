import { Duration } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as iam from 'aws-cdk-lib/aws-iam';
import type { GateCase } from './gate-case';
import { NodeScene } from './node-scene';
import { Ways } from './ways';
import { ImagePrefetcher, NodeSelection } from '../../src';
import type { Deployment } from '../../testbed/deployment';
import type { GateNode, PushedImage } from '../../testbed/engines';
import { newCluster } from '../fixture';
import type { Bed, Run } from '../nodes/real-nodes';
import { only, repository, runsOfReconcile } from '../nodes/real-nodes';

export const GATE = 'image-prefetcher-boot-gate';
/** The shortest there is. */
export const MAX_WAIT_SECONDS = 30;

/** One case of the boot gate: a stack of its own, whose one node boots with the fault. */
export class GateScene extends NodeScene {
  static async set(bed: Bed, name: string, { userData: also }: GateCase): Promise<GateScene> {
    const stack = bed.newStack();
    const cluster = newCluster(stack);
    const nodeRole = new iam.Role(stack, 'NodeRole', { assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com') });
    const prefetcher = new ImagePrefetcher(stack, 'Prefetcher', {
      cluster, nodes: [NodeSelection.nodegroupNames(['gpu'], { nodeRole })], repositories: [repository(stack, name)],
    });
    prefetcher.addAlarms();
    const userData = new ec2.MultipartUserData();
    prefetcher.addBootGate(userData, { maxWait: Duration.seconds(MAX_WAIT_SECONDS) });
    if (also) {
      userData.addPart(ec2.MultipartBody.fromUserData(ec2.UserData.custom(`#!/bin/sh\n${also}\n`)));
    }
    const launchTemplate = new ec2.LaunchTemplate(stack, 'LaunchTemplate', { userData });
    cluster.addNodegroupCapacity('Gpu', {
      nodegroupName: 'gpu', nodeRole, launchTemplateSpec: { id: launchTemplate.launchTemplateId!, version: launchTemplate.latestVersionNumber },
    });
    const deployment = await bed.deploy(stack);
    await deployment.publishDocuments(bed.testbed.documents);
    return new GateScene(bed, await Ways.open(bed.testbed), deployment, await bed.push(name, 'v1', { megabytes: 4 }));
  }

  /** From its first moment. */
  node!: GateNode;

  private constructor(readonly bed: Bed, readonly ways: Ways, readonly deployment: Deployment, readonly pushed: PushedImage) {
    super();
  }

  /** Boots the node; that its kubelet starts in the end is part of it. */
  async boot(name: string, { imageDiskMegabytes, meanwhile }: GateCase): Promise<void> {
    const { testbed } = this.bed;
    const options = { ...this.ways.options(testbed.ecr.registryHost), ...imageDiskMegabytes ? { imageDiskMegabytes } : {} };
    await testbed.addGateNode(name, this.deployment.nodegroupTags('Gpu'), this.deployment.userData('Gpu'), options, async node => {
      this.node = node;
      await meanwhile?.(this);
    });
    this.deployment.fleet.push(this.node);
  }

  /** What State Manager runs when the node joins. */
  async join(): Promise<Run> {
    return only(runsOfReconcile(await this.deployment.plane.nodeOnline(this.node)));
  }
}

/** A node that boots alike and has no gate. */
export function bootWithoutGate(bed: Bed, name: string): Promise<GateNode> {
  return bed.testbed.addGateNode(name, {}, '#!/bin/sh\n');
}
