import { join } from 'node:path';
import { App, Stack } from 'aws-cdk-lib';
import { Annotations, Match } from 'aws-cdk-lib/assertions';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import { DockerImageAsset } from 'aws-cdk-lib/aws-ecr-assets';
import * as events from 'aws-cdk-lib/aws-events';
import { flat, newStack, settingsOf, prefetch } from './fixture';
import { ImagePrefetcher, ImageSelection, NodeSelection } from '../src';

const HOST = '123456789012.dkr.ecr.us-east-1.{AWS::URLSuffix}';

/** The wanted list of a prefetcher with these images, as the document hands it over. */
function wanted(images: (stack: Stack) => ImageSelection[], stack = newStack()): string {
  return flat(settingsOf(prefetch({ images: images(stack) }, stack).template()).Images);
}

const named = (stack: Stack, name: string) =>
  (stack.node.tryFindChild(name) ?? ecr.Repository.fromRepositoryName(stack, name, name)) as ecr.IRepository;

describe('the wanted list', () => {
  test('spells any registry\'s image out as the kubelet does', () => {
    const spelled = {
      'nginx': 'docker.io/library/nginx:latest',
      'nginx:1.27': 'docker.io/library/nginx:1.27',
      'grafana/grafana:11': 'docker.io/grafana/grafana:11',
      'quay.io/org/app:v1': 'quay.io/org/app:v1',
      'ghcr.io/org/app:v1': 'ghcr.io/org/app:v1',
      'public.ecr.aws/nginx/nginx:1.27': 'public.ecr.aws/nginx/nginx:1.27',
      'localhost:5000/app:v1': 'localhost:5000/app:v1',
      'registry.example.com:8443/team/app:v1': 'registry.example.com:8443/team/app:v1',
      [`quay.io/org/app@sha256:${'a'.repeat(64)}`]: `quay.io/org/app@sha256:${'a'.repeat(64)}`,
      [`quay.io/org/app:v1@sha256:${'a'.repeat(64)}`]: `quay.io/org/app@sha256:${'a'.repeat(64)}`,
    };
    expect(wanted(() => Object.keys(spelled).map(ImageSelection.registry)).split(' ')).toEqual([...new Set(Object.values(spelled))]);
  });

  test.each(['Quay.io/org/app:v1', 'a..b/org/app:v1', 'quay.io-/org/app:v1'])('refuses the host of %s, which the nodes would refuse', name => {
    expect(() => wanted(() => [ImageSelection.registry(name)])).toThrow(/an image name must be .*, got/);
  });

  test('has no repository of more characters than containerd takes', () => {
    const [longest, tooLong] = [255, 256].map(length => 'a'.repeat(length));
    expect(wanted(stack => [ImageSelection.repository(named(stack, longest))])).toBe(`${HOST}/${longest}?newest=1`);
    expect(wanted(() => [ImageSelection.registry(`quay.io/${longest}:v1`)])).toBe(`quay.io/${longest}:v1`);
    expect(() => wanted(stack => [ImageSelection.repository(named(stack, tooLong))])).toThrow(/a repository name must be 2 to 255 characters/);
    for (const name of [`quay.io/${tooLong}:v1`, `${HOST}/${tooLong}:v1`, 'a'.repeat(248)]) {
      expect(() => wanted(() => [ImageSelection.registry(name)])).toThrow(/an image name must be .*, got/);
    }
  });

  test('names a repository\'s tag, digest and newest images', () => {
    const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;
    expect(wanted(stack => [
      ImageSelection.tag(named(stack, 'app-a'), 'v1'),
      ImageSelection.digest(named(stack, 'app-b'), digest),
      ImageSelection.repository(named(stack, 'app-c'), { keep: 3, tags: { include: ['v*', 'stable'], exclude: ['*-rc'] } }),
    ])).toBe(`${HOST}/app-a:v1 ${HOST}/app-b@${digest} ${HOST}/app-c?newest=3&include=v*&include=stable&exclude=*-rc`);
  });

  test('keeps the order, and lets neighbours that want the same share a word', () => {
    expect(wanted(stack => [
      ImageSelection.repository(named(stack, 'app-a')),
      ImageSelection.repository(named(stack, 'app-b')),
      ImageSelection.repository(named(stack, 'app-a')),
      ImageSelection.tag(named(stack, 'app-x'), 'v1'),
      ImageSelection.repository(named(stack, 'app-c')),
    ])).toBe(`${HOST}/app-a,app-b?newest=1 ${HOST}/app-x:v1 ${HOST}/app-c?newest=1`);
  });

  test('takes the image that this app builds', () => {
    const stack = newStack();
    expect(wanted(() => [ImageSelection.dockerImageAsset(new DockerImageAsset(stack, 'Asset', { directory: join(__dirname, 'docker-image') }))], stack))
      .toMatch(/^123456789012\.dkr\.ecr\.us-east-1\.\{AWS::URLSuffix\}\/cdk-hnb659fds-container-assets-123456789012-us-east-1:[0-9a-f]{64}$/);
  });

  test('takes the short form with its tags', () => {
    const stack = newStack();
    const { template } = prefetch({ repositories: [named(stack, 'app-a'), named(stack, 'app-b')], imageTags: ['stable', 'v*'] }, stack);
    expect(flat(settingsOf(template()).Images)).toBe(`${HOST}/app-a,app-b?newest=1&include=stable&include=v*`);
  });

  test('has the host of the repository\'s own account and region', () => {
    const away = (stack: Stack) => [
      ImageSelection.tag(ecr.Repository.fromRepositoryArn(stack, 'A', 'arn:aws:ecr:eu-west-1:999999999999:repository/team/app'), 'v1'),
      ImageSelection.tag(ecr.Repository.fromRepositoryAttributes(stack, 'B', { repositoryName: 'team/app', repositoryArn: 'arn:aws:ecr:us-west-2:888888888888:repository/team/app' }), 'v1'),
      ImageSelection.registry('777777777777.dkr.ecr.us-east-2.amazonaws.com/team/app:v1'),
    ];
    expect(wanted(away)).toBe([
      '999999999999.dkr.ecr.eu-west-1.{AWS::URLSuffix}/team/app:v1',
      '888888888888.dkr.ecr.us-west-2.{AWS::URLSuffix}/team/app:v1',
      '777777777777.dkr.ecr.us-east-2.amazonaws.com/team/app:v1',
    ].join(' '));
  });

  test('works in a stack without account and region', () => {
    const stack = new Stack(new App(), 'Anywhere');
    expect(wanted(() => [ImageSelection.repository(new ecr.Repository(stack, 'Repository'))], stack))
      .toMatch(/^\{AWS::AccountId\}\.dkr\.ecr\.\{AWS::Region\}\.\{AWS::URLSuffix\}\/\{Repository\w+\}\?newest=1$/);
    Annotations.fromStack(stack).hasNoWarning('*', Match.stringLikeRegexp('.*cdk-eks-image-prefetcher.*'));
  });
});

describe('push events', () => {
  const patterns = (images: (stack: Stack) => ImageSelection[], eventBus?: (stack: Stack) => events.IEventBus) => {
    const stack = newStack();
    const { template } = prefetch({ images: images(stack), eventBus: eventBus?.(stack) }, stack);
    return { stack, rules: Object.values<any>(template().findResources('AWS::Events::Rule')).map(rule => rule.Properties) };
  };

  test('a fixed tag is matched exactly, a digest and other registries never', () => {
    const { rules } = patterns(stack => [
      ImageSelection.tag(named(stack, 'app-a'), 'v1'),
      ImageSelection.tag(named(stack, 'app-a'), 'v2'),
      ImageSelection.digest(named(stack, 'app-b'), `sha256:${'a'.repeat(64)}`),
      ImageSelection.registry('quay.io/org/app:v1'),
    ]);
    expect(rules).toHaveLength(1);
    expect(rules[0].EventPattern.detail).toMatchObject({ 'repository-name': ['app-a'], 'image-tag': ['v1', 'v2'] });
  });

  test('repositories share a rule, those whose tags are filtered alike a place in it', () => {
    const { rules } = patterns(stack => [
      ImageSelection.repository(named(stack, 'app-a'), { tags: { include: ['v*'] } }),
      ImageSelection.repository(named(stack, 'app-b'), { tags: { include: ['*-prod'] } }),
      ImageSelection.repository(named(stack, 'app-c'), { tags: { include: ['v*'] } }),
    ]);
    expect(rules).toHaveLength(1);
    expect(rules[0].EventPattern.detail.$or).toEqual([
      { 'repository-name': ['app-a', 'app-c'], 'image-tag': [{ prefix: 'v' }] },
      { 'repository-name': ['app-b'], 'image-tag': [{ suffix: '-prod' }] },
    ]);
  });

  test('310 fixed images of as many repositories need few rules, each within the limit of a pattern', () => {
    const { rules } = patterns(stack => [...Array(310).keys()].map(index => ImageSelection.tag(named(stack, `team/service-${index}`), `v${index}`)));
    expect(rules.length).toBeLessThan(25);
    expect(rules.flatMap(rule => rule.EventPattern.detail.$or).map(choice => [choice['repository-name'], choice['image-tag']]))
      .toEqual([...Array(310).keys()].map(index => [[`team/service-${index}`], [`v${index}`]]));
    for (const { EventPattern } of rules) {
      expect(JSON.stringify(EventPattern).length).toBeLessThanOrEqual(2048);
    }
  });

  test('in a stack without an environment, a repository whose account is spelled out is on the bus that is given', () => {
    const stack = new Stack(new App(), 'Stack');
    const eventBus = new events.EventBus(stack, 'Bus');
    const away = ecr.Repository.fromRepositoryArn(stack, 'Away', 'arn:aws:ecr:us-east-1:999999999999:repository/app');
    const { template } = prefetch({ images: [ImageSelection.repository(away), ImageSelection.repository(named(stack, 'home'))], eventBus }, stack);
    const rules = Object.values<any>(template().findResources('AWS::Events::Rule')).map(rule => rule.Properties);
    expect(rules.map(rule => [rule.EventPattern.detail['repository-name'][0], rule.EventBusName && flat(rule.EventBusName)])).toEqual([['app', expect.stringContaining('{Bus')], ['home', undefined]]);
  });

  test.each([
    ['account', 'arn:aws:ecr:us-east-1:999999999999:repository/app'],
    ['region', 'arn:aws:ecr:eu-west-1:123456789012:repository/app'],
  ])('of another %s start nothing, which a warning says', (_, arn) => {
    const { stack, rules } = patterns(scope => [ImageSelection.repository(ecr.Repository.fromRepositoryArn(scope, 'Away', arn))]);
    expect(rules).toEqual([]);
    Annotations.fromStack(stack).hasWarning('*', Match.stringLikeRegexp('pushes to repository \'app\' of (account 999999999999|region eu-west-1) raise no event here'));
  });

  test('of another account arrive through the bus that they are forwarded to', () => {
    const { stack, rules } = patterns(
      scope => [
        ImageSelection.repository(ecr.Repository.fromRepositoryArn(scope, 'Away', 'arn:aws:ecr:us-east-1:999999999999:repository/app')),
        ImageSelection.repository(named(scope, 'home')),
      ],
      scope => new events.EventBus(scope, 'Bus'));
    expect(rules).toHaveLength(2);
    const away = rules.find(rule => rule.EventPattern.account[0] === '999999999999');
    const home = rules.find(rule => rule.EventPattern.account[0] === '123456789012');
    expect(flat(away.EventBusName)).toContain('{Bus');
    expect(home).not.toHaveProperty('EventBusName');
    Annotations.fromStack(stack).hasNoWarning('*', Match.stringLikeRegexp('raise no event'));
  });
});

test('an image filled by a pull-through cache may be fetched by the nodes', () => {
  const { template } = prefetch({ images: [ImageSelection.pullThroughCache('docker-hub/library/nginx', '1.27')] });
  template().hasResourceProperties('AWS::IAM::ManagedPolicy', {
    PolicyDocument: {
      Statement: Match.arrayWith([Match.objectLike({
        Action: ['ecr:BatchImportUpstreamImage', 'ecr:CreateRepository'],
        Resource: { 'Fn::Join': ['', ['arn:', { Ref: 'AWS::Partition' }, ':ecr:us-east-1:123456789012:repository/docker-hub/library/nginx']] },
      })]),
    },
  });
});

test('a prefetcher of another stack takes repositories and node groups across', () => {
  const app = new App();
  const env = { account: '123456789012', region: 'us-east-1' };
  const images = new Stack(app, 'Images', { env });
  const nodes = new Stack(app, 'Nodes', { env });
  const repository = new ecr.Repository(images, 'Training');
  new ImagePrefetcher(nodes, 'Other', {
    cluster: prefetch({}, nodes).stack.node.findChild('Cluster') as any,
    nodes: [NodeSelection.nodegroupNames(['gpu'])],
    images: [ImageSelection.repository(repository)],
  });
  expect(() => app.synth()).not.toThrow();
});

test('an exclude pattern of many * is judged at once', () => {
  const repository = ecr.Repository.fromRepositoryName(newStack(), 'Repository', 'app');
  const repositoryWith = (exclude: string, include: string) => () =>
    ImageSelection.repository(repository, { tags: { include: [include], exclude: [exclude] } });
  expect(repositoryWith(`${'a*'.repeat(12)}b`, `${'a'.repeat(110)}x`)).not.toThrow();
  expect(repositoryWith(`${'a*'.repeat(12)}x`, `${'a'.repeat(110)}x`)).toThrow('a tag filter must leave some tag');
  expect(repositoryWith('a*b*ab', 'acbab')).toThrow('a tag filter must leave some tag');
  expect(repositoryWith('a*b*ab', 'aab')).not.toThrow();
});
