import * as path from 'node:path';
import { App, Aws, CfnParameter, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import { DockerImageAsset } from 'aws-cdk-lib/aws-ecr-assets';
import * as eksV1 from 'aws-cdk-lib/aws-eks';
import * as eks from 'aws-cdk-lib/aws-eks-v2';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as fc from 'fast-check';
import { newStack, prefetch, propertiesOf, wantedList } from './fixture';
import { ImageSelection } from '../src';

const SEED = Number(process.env.MANIFESTS_SEED ?? Date.now() % 2 ** 31);

const pod = (...images: string[]) => ({ containers: images.map((image, index) => ({ name: `c${index}`, image })) });
const workload = (kind: string, template: object) => ({ apiVersion: 'apps/v1', kind, metadata: { name: kind.toLowerCase() }, spec: { template: { spec: template } } });
const wantedOf = (...manifests: Record<string, any>[]) => wantedList(newStack(), ImageSelection.manifests(...manifests));

describe('the images of manifests', () => {
  test('are those of containers, init containers, ephemeral containers and image volumes, in the order as written', () => {
    expect(wantedOf({
      apiVersion: 'v1',
      kind: 'Pod',
      spec: {
        volumes: [{ name: 'model', image: { reference: 'quay.io/org/model:v1', pullPolicy: 'IfNotPresent' } }, { name: 'empty', emptyDir: {} }],
        initContainers: [{ name: 'init', image: 'quay.io/org/init:v1' }],
        containers: [{ name: 'app', image: 'quay.io/org/app:v1' }, { name: 'again', image: 'quay.io/org/init:v1' }],
        ephemeralContainers: [{ name: 'debug', image: 'busybox:1.36' }],
      },
    })).toEqual(['quay.io/org/model:v1', 'quay.io/org/init:v1', 'quay.io/org/app:v1', 'docker.io/library/busybox:1.36']);
  });

  test.each([
    ['Deployment', workload('Deployment', pod('a:1'))],
    ['StatefulSet', workload('StatefulSet', pod('a:1'))],
    ['DaemonSet', workload('DaemonSet', pod('a:1'))],
    ['ReplicaSet', workload('ReplicaSet', pod('a:1'))],
    ['Job', workload('Job', pod('a:1'))],
    ['CronJob', { kind: 'CronJob', spec: { jobTemplate: { spec: { template: { spec: pod('a:1') } } } } }],
    ['PodTemplate', { kind: 'PodTemplate', template: { spec: pod('a:1') } }],
    ['List', { kind: 'List', apiVersion: 'v1', items: [{ kind: 'Service', spec: { ports: [{ port: 80 }] } }, workload('Deployment', pod('a:1'))] }],
    ['Argo Rollout', workload('Rollout', pod('a:1'))],
    ['LeaderWorkerSet', { kind: 'LeaderWorkerSet', spec: { leaderWorkerTemplate: { leaderTemplate: { spec: pod('a:1') }, workerTemplate: { spec: pod('a:1') } } } }],
    ['RayCluster', { kind: 'RayCluster', spec: { headGroupSpec: { template: { spec: pod('a:1') } }, workerGroupSpecs: [{ groupName: 'gpu', template: { spec: pod('a:1') } }] } }],
    ['a whole file', [{ kind: 'ConfigMap', data: { containers: 'b:1' } }, workload('Deployment', pod('a:1'))]],
  ])('are found in %s', (_, manifest) => {
    expect(wantedOf(manifest)).toEqual(['docker.io/library/a:1']);
  });

  test('are nothing that only looks like one', () => {
    expect(() => wantedOf({ kind: 'CustomResourceDefinition', metadata: { name: 'apps' }, spec: { properties: { containers: { type: 'array', items: { image: 'a:1' } } } } }))
      .toThrow('manifests of an ImageSelection must name an image in containers, initContainers, ephemeralContainers or image volumes, got none in CustomResourceDefinition \'apps\'');
  });

  test('must be given, without gaps', () => {
    expect(() => wantedOf()).toThrow('must name an image in containers, initContainers, ephemeralContainers or image volumes, got none in no manifest');
    expect(() => ImageSelection.manifests(workload('Job', pod('a:1')), undefined as any))
      .toThrow('manifests of an ImageSelection must have a value at each place, got undefined at place 2 of 2: leave empty documents out');
  });

  test('are each there once and in order, however they are spread over documents', () => {
    const image = fc.integer({ min: 0, max: 9 }).map(index => `quay.io/org/app-${index}:v1`);
    const template = fc.record({
      initContainers: fc.array(image.map(name => ({ image: name })), { maxLength: 2 }),
      containers: fc.array(image.map(name => ({ image: name })), { minLength: 1, maxLength: 3 }),
    });
    const wrap = fc.constantFrom(
      (spec: object) => ({ kind: 'Pod', spec }), (spec: object) => workload('Deployment', spec), (spec: object) => ({ kind: 'List', items: [{ kind: 'Pod', spec }] }),
      (spec: object) => ({ kind: 'RayCluster', spec: { workerGroupSpecs: [{ template: { spec } }] } }));
    fc.assert(fc.property(fc.array(fc.tuple(template, wrap), { minLength: 1, maxLength: 4 }), drawn => {
      const written = drawn.flatMap(([{ initContainers, containers }]) => [...initContainers, ...containers].map(each => each.image));
      expect(wantedOf(...drawn.map(([spec, wrapped]) => wrapped(spec)))).toEqual([...new Set(written)]);
    }), { seed: SEED, numRuns: 200 });
  });
});

describe('KubernetesManifest constructs', () => {
  const layer = (stack: Stack) => lambda.LayerVersion.fromLayerVersionArn(stack, 'Layer', 'arn:aws:lambda:us-east-1:123456789012:layer:kubectl:1');
  const clusters = {
    'aws-eks': (stack: Stack) => eksV1.Cluster.fromClusterAttributes(stack, 'Cluster', {
      clusterName: 'prod', kubectlRoleArn: 'arn:aws:iam::123456789012:role/kubectl', kubectlLayer: layer(stack),
    }),
    'aws-eks-v2': (stack: Stack) => eks.Cluster.fromClusterAttributes(stack, 'Cluster', {
      clusterName: 'prod', kubectlProvider: eks.KubectlProvider.fromKubectlProviderAttributes(stack, 'Kubectl', { serviceToken: 'arn:aws:lambda:us-east-1:123456789012:function:kubectl' }),
    }),
  };

  test.each(Object.entries(clusters))('of %s are read, tokens and all', (_, newCluster) => {
    const stack = newStack();
    const repository = new ecr.Repository(stack, 'Training');
    const manifest = newCluster(stack).addManifest('App',
      { kind: 'Service', metadata: { name: 'a "quoted" name' }, spec: { ports: [{ port: new CfnParameter(stack, 'Port', { type: 'Number' }).valueAsNumber }] } },
      workload('Deployment', pod(repository.repositoryUriForTag('v1'), 'quay.io/org/app:v1')));
    const [own, other] = wantedList(stack, ImageSelection.kubernetesManifests(manifest));
    expect(own).toMatch(/^123456789012\.dkr\.ecr\.us-east-1\.\{AWS::URLSuffix\}\/\{Training\w+\}:v1$/);
    expect(other).toBe('quay.io/org/app:v1');
  });

  test('are all that is taken', () => {
    const stack = newStack();
    expect(() => wantedList(stack, ImageSelection.kubernetesManifests(new ecr.Repository(stack, 'Training'))))
      .toThrow("must be parsed manifests or KubernetesManifest constructs, got 'Stack/Training', which is neither");
  });
});

describe('ECR images by their names', () => {
  const stacks = { 'with an environment': () => newStack(), 'without an environment': () => new Stack(new App(), 'Stack') };

  test.each(Object.entries(stacks))('are what tag() and digest() make of them, in a stack %s', (_, make) => {
    const stack = make();
    const own = new ecr.Repository(stack, 'Own');
    const imported = ecr.Repository.fromRepositoryName(stack, 'Imported', 'team/app');
    const level1 = new ecr.CfnRepository(stack, 'Level1');
    const asset = new DockerImageAsset(stack, 'Asset', { directory: path.join(__dirname, 'docker-image') });
    const tag = new CfnParameter(stack, 'Tag').valueAsString;
    const digest = `sha256:${'a'.repeat(64)}`;
    for (const [name, selection] of [
      [own.repositoryUriForTag('v1'), ImageSelection.tag(own, 'v1')],
      [own.repositoryUriForTag(tag), ImageSelection.tag(own, tag)],
      [own.repositoryUriForDigest(digest), ImageSelection.digest(own, digest)],
      [imported.repositoryUriForTag('v1'), ImageSelection.tag(imported, 'v1')],
      [`${level1.attrRepositoryUri}:v1`, ImageSelection.tag(level1, 'v1')],
      [asset.imageUri, ImageSelection.dockerImageAsset(asset)],
      [`${stack.account}.dkr.ecr.${stack.region}.${Aws.URL_SUFFIX}/team/app:${tag}`, ImageSelection.tag(imported, tag)],
    ] as [string, ImageSelection][]) {
      const [byName] = ImageSelection.manifests(workload('Job', pod(name)))._bind(stack);
      const [bySelection] = selection._bind(stack);
      expect(stack.resolve(byName)).toEqual(stack.resolve(bySelection));
      expect(ImageSelection.registry(name)._bind(stack)).toEqual([byName]);
    }
  });

  test('give the nodes the permission to pull, and a rule for the push', () => {
    const stack = newStack();
    const repository = new ecr.Repository(stack, 'Training');
    prefetch({ images: [ImageSelection.manifests(workload('Deployment', pod(repository.repositoryUriForTag('v1'))))] }, stack);
    const template = Template.fromStack(stack);
    const detail = propertiesOf(template, 'AWS::Events::Rule').EventPattern.detail;
    expect([detail['repository-name'], detail['image-tag']]).toEqual([[{ Ref: expect.stringContaining('Training') }], ['v1']]);
    expect(JSON.stringify(propertiesOf(template, 'AWS::IAM::ManagedPolicy').PolicyDocument)).toMatch(/"ecr:BatchGetImage".*"Fn::GetAtt":\["Training\w+","Arn"\]/);
  });

  test('of another stack are found across', () => {
    const app = new App();
    const env = { account: '123456789012', region: 'us-east-1' };
    const repository = new ecr.Repository(new Stack(app, 'Images', { env }), 'Training');
    const stack = new Stack(app, 'Nodes', { env });
    prefetch({ images: [ImageSelection.registry(repository.repositoryUriForTag('v1'))] }, stack);
    expect(JSON.stringify(Template.fromStack(stack).toJSON())).toMatch(/Fn::ImportValue":"Images:/);
  });
});
