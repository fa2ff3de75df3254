import * as fs from 'node:fs';
import type { Stack } from 'aws-cdk-lib';
import { Stage } from 'aws-cdk-lib';
import type { CommandTarget, PatternMatcher, Resource } from './aws';
import { ControlPlane } from './aws';
import type { CloudWatchLogs, GateNode, Node, NodeOptions, SsmDocuments } from './engines';
import { ACCOUNT, EventRuler, REGION, Testbed } from './engines';

/** A disk of its own for each node's images, as on EC2: how full this machine is must not matter. Only what is used takes room. */
const IMAGE_DISK_MEGABYTES = 20_000;

export interface NodegroupTags {
  [key: string]: string;
}

/** A stack as CloudFormation would have deployed it: its template, and a control plane that works from it. */
export class Deployment {
  readonly fleet: CommandTarget[] = [];
  readonly plane: ControlPlane;

  constructor(stack: Stack, matcher: PatternMatcher) {
    const assembly = Stage.of(stack)!.synth();
    const { template } = assembly.getStackArtifact(stack.artifactId);
    fs.rmSync(assembly.directory, { recursive: true });
    this.plane = new ControlPlane(template, { account: ACCOUNT, region: REGION, stackName: stack.stackName, matcher, fleet: this.fleet });
  }

  /** The tags that EKS gives to the instances of the node group whose logical id holds `part`. */
  nodegroupTags(part: string): NodegroupTags {
    const { logicalId, properties } = this.nodegroup(part);
    const cluster = properties.ClusterName as string;
    return {
      'eks:cluster-name': cluster,
      'eks:nodegroup-name': this.plane.template.attribute(logicalId, 'NodegroupName'),
      [`kubernetes.io/cluster/${cluster}`]: 'owned',
    };
  }

  /** The user data that the launch template of that node group gives to its instances. */
  userData(part: string): string {
    const { template } = this.plane;
    const { LaunchTemplate: used } = this.nodegroup(part).properties;
    const launchTemplate = template.resources('AWS::EC2::LaunchTemplate').find(({ logicalId }) => template.ref(logicalId) === used?.Id);
    const encoded = launchTemplate?.properties.LaunchTemplateData.UserData;
    if (!encoded) {
      throw new Error(`the node group with '${part}' in its logical id has no launch template with user data`);
    }
    return Buffer.from(encoded, 'base64').toString();
  }

  /** Makes the Command documents known to the AWS CLI on the nodes. */
  async publishDocuments(documents: SsmDocuments): Promise<void> {
    const { template } = this.plane;
    for (const { logicalId, properties } of template.resources('AWS::SSM::Document')) {
      if (properties.DocumentType === 'Command') {
        await documents.create(template.ref(logicalId), properties.Content);
      }
    }
  }

  /** Creates the log groups of the stack, to which the nodes report. */
  async createLogGroups(logs: CloudWatchLogs): Promise<void> {
    const { template } = this.plane;
    for (const { logicalId } of template.resources('AWS::Logs::LogGroup')) {
      await logs.createLogGroup(template.ref(logicalId));
    }
  }

  private nodegroup(part: string): Resource {
    const nodegroup = this.plane.template.resources('AWS::EKS::Nodegroup').find(({ logicalId }) => logicalId.includes(part));
    if (!nodegroup) {
      throw new Error(`no node group with '${part}' in its logical id`);
    }
    return nodegroup;
  }
}

/** A deployment on real engines. */
export class RealDeployment extends Deployment {
  static async start(stack: Stack): Promise<RealDeployment> {
    const testbed = await Testbed.start();
    try {
      const deployment = new RealDeployment(stack, testbed, testbed.workspace.track(new EventRuler()));
      for (const { properties } of deployment.plane.template.resources('AWS::ECR::Repository')) {
        await testbed.ecr.createRepository(properties.RepositoryName);
      }
      await deployment.publishDocuments(testbed.documents);
      await deployment.createLogGroups(testbed.logs);
      return deployment;
    } catch (error) {
      await testbed.stop();
      throw error;
    }
  }

  private constructor(stack: Stack, readonly testbed: Testbed, matcher: PatternMatcher) {
    super(stack, matcher);
  }

  /** Boots a node of the node group whose logical id holds `part`. */
  async addNode(name: string, part: string): Promise<Node> {
    const node = await this.testbed.addNode(name, this.nodegroupTags(part), { imageDiskMegabytes: IMAGE_DISK_MEGABYTES });
    this.fleet.push(node);
    return node;
  }

  /** Boots such a node as EC2 does, with the user data of its node group's launch template. */
  async addGateNode(name: string, part: string, options: NodeOptions = {}): Promise<GateNode> {
    const node = await this.testbed.addGateNode(name, this.nodegroupTags(part), this.userData(part),
      { imageDiskMegabytes: IMAGE_DISK_MEGABYTES, ...options });
    this.fleet.push(node);
    return node;
  }

  stop(): Promise<void> {
    return this.testbed.stop();
  }
}
