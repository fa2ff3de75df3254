import * as path from 'node:path';
import type { App } from 'aws-cdk-lib';
import { Stack } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import { DockerImageAsset, Platform } from 'aws-cdk-lib/aws-ecr-assets';
import * as eks from 'aws-cdk-lib/aws-eks-v2';
import * as iam from 'aws-cdk-lib/aws-iam';
import { Push } from './push';
import { ImagePrefetcher, ImageSelection, NodeSelection } from '../../src';

export const PLAIN = 'plain';
export const GATED = 'gated';
const NODE_POLICIES = ['AmazonEKSWorkerNodePolicy', 'AmazonEKS_CNI_Policy', 'AmazonEC2ContainerRegistryPullOnly'];

/** A cluster with one node in a plain node group, none yet in a gated one, and a prefetcher for both. */
export class NodesStack extends Stack {
  public readonly clusterName: string;
  public readonly logGroupName: string;
  /** What the nodes are to have from the start. */
  public readonly fixedImage: string;
  public readonly push: Push;

  constructor(app: App, id: string) {
    super(app, id);

    // Public subnets alone: the nodes are here for minutes, and a NAT gateway costs more than they do.
    const vpc = new ec2.Vpc(this, 'Vpc', {
      maxAzs: 2,
      natGateways: 0,
      subnetConfiguration: [{ name: 'Public', subnetType: ec2.SubnetType.PUBLIC, mapPublicIpOnLaunch: true }],
      restrictDefaultSecurityGroup: false,
    });
    const cluster = new eks.Cluster(this, 'Cluster', {
      version: eks.KubernetesVersion.V1_34,
      vpc,
      vpcSubnets: [{ subnetType: ec2.SubnetType.PUBLIC }],
      defaultCapacityType: eks.DefaultCapacityType.NODEGROUP,
      defaultCapacity: 0,
    });
    const nodeRole = new iam.Role(this, 'NodeRole', {
      assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com'),
      managedPolicies: NODE_POLICIES.map(name => iam.ManagedPolicy.fromAwsManagedPolicyName(name)),
    });

    const fixed = this.image('Fixed');
    this.push = new Push(this, 'Push', { source: this.image('Pushed'), tag: 'integ-pushed' });
    const prefetcher = new ImagePrefetcher(this, 'Prefetcher', {
      cluster,
      nodes: [NodeSelection.nodegroupNames([PLAIN, GATED], { nodeRole })],
      images: [
        ImageSelection.dockerImageAsset(fixed),
        ImageSelection.repository(this.push.repository, { tags: { include: [this.push.tag] } }),
      ],
    });
    const userData = new ec2.MultipartUserData();
    prefetcher.addBootGate(userData);
    const gate = new ec2.LaunchTemplate(this, 'GateTemplate', { userData });

    const plain = { nodegroupName: PLAIN, nodeRole, subnets: { subnetType: ec2.SubnetType.PUBLIC }, instanceTypes: [new ec2.InstanceType('t3.medium')], minSize: 0, maxSize: 2 };
    const nodegroups = [
      cluster.addNodegroupCapacity('Plain', { ...plain, desiredSize: 1 }),
      cluster.addNodegroupCapacity('Gated', {
        ...plain, nodegroupName: GATED, desiredSize: 0, launchTemplateSpec: { id: gate.launchTemplateId!, version: gate.latestVersionNumber },
      }),
    ];
    for (const nodegroup of nodegroups) {
      nodegroup.node.addDependency(prefetcher);
    }

    this.clusterName = cluster.clusterName;
    this.logGroupName = prefetcher.logGroup.logGroupName;
    this.fixedImage = fixed.imageUri;
  }

  private image(name: string): DockerImageAsset {
    return new DockerImageAsset(this, name, { directory: path.join(__dirname, 'image'), buildArgs: { NAME: name }, platform: Platform.LINUX_AMD64 });
  }
}
