import { Annotations, Stack, Token, TokenComparison } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import type { aws_events } from 'aws-cdk-lib/interfaces';
import type { Construct } from 'constructs';
import { chunkByLength } from './estimated-length';
import type { EcrRepositoryLocation, ImageSelectionConfig } from './image-selection-config';
import { readable } from './known-later';
import type { PushedImages } from './push-pattern';
import type { TagFilter } from './tag-filter';
import { passesRule, usesWildcard } from './tag-patterns';

/**
 * A pattern may have 2,048 characters; what is not repositories and tags takes some of them.
 * https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
 */
const CHARACTERS_OF_PATTERN = 2_048;
const CHARACTERS_AROUND = 700;
const CHARACTERS_OF_TAGS = 700;

/** `{"repository-name":[…],"image-tag":[…]},` */
const CHARACTERS_AROUND_A_CHOICE = 45;

/** What one rule listens to. */
export interface PushSource {
  readonly account: string;
  readonly region: string;
  readonly images: PushedImages[];
  /** Where the events arrive; the default bus when not given. */
  readonly eventBus?: events.IEventBus;
}

interface Place {
  readonly account: string;
  readonly region: string;
  readonly eventBus?: events.IEventBus;
  /** By the filter, as text. */
  readonly byTags: Map<string, { readonly tags: TagFilter; readonly repositoryNames: string[] }>;
}

/** What the rules listen to: as few as EventBridge's limits allow. Repositories whose pushes raise no event here are named in a warning. */
export function pushSources(scope: Construct, images: ImageSelectionConfig[], eventBus?: aws_events.IEventBusRef): PushSource[] {
  const forwarded = eventBus && events.EventBus.fromEventBusName(scope, 'EventBus', eventBus.eventBusRef.eventBusName);
  const places = new Map<string, Place>();
  for (const { image, tags } of wantedTags(images)) {
    const { account, region } = image.ecr!;
    const away = placeOf(scope, image.ecr!, forwarded !== undefined);
    if (away && !forwarded) {
      Annotations.of(scope).addWarningV2('cdk-eks-image-prefetcher:noPushEvents',
        `pushes to repository '${readable(image.path)}' of ${away} raise no event here: its images arrive when nodes join and at every reconcile; for pushes too, forward its ECR events to an event bus of this account and region and give that as eventBus`);
      continue;
    }
    const place = getOrAdd(places, `${account} ${region}`, { account, region, eventBus: away ? forwarded : undefined, byTags: new Map() });
    const { repositoryNames } = getOrAdd(place.byTags, JSON.stringify(tags), { tags, repositoryNames: [] });
    if (!repositoryNames.includes(image.path)) {
      repositoryNames.push(image.path);
    }
  }
  return [...places.values()].flatMap(({ byTags, ...place }) => intoRules(scope, [...byTags.values()]).map(each => ({ ...place, images: each })));
}

function getOrAdd<T>(map: Map<string, T>, key: string, value: T): T {
  if (!map.has(key)) {
    map.set(key, value);
  }
  return map.get(key)!;
}

/** Each repository with the tags whose pushes count; its fixed tags are one filter, less those that are among the newest. */
function wantedTags(images: ImageSelectionConfig[]): { image: ImageSelectionConfig; tags: TagFilter }[] {
  const ofEcr = images.filter(each => each.ecr && !each.digest);
  const newest = ofEcr.filter(each => each.tag === undefined);
  const isPushedAnyway = ({ host, path, tag }: ImageSelectionConfig) =>
    newest.some(each => each.host === host && each.path === path && passesRule(each.tags ?? {}, tag!));
  const fixed = new Map<string, { image: ImageSelectionConfig; tags: string[] }>();
  for (const image of ofEcr.filter(each => each.tag !== undefined && !isPushedAnyway(each))) {
    const { tags } = getOrAdd(fixed, `${image.host}/${image.path}`, { image, tags: [] });
    if (!tags.includes(image.tag!)) {
      tags.push(image.tag!);
    }
  }
  return [
    ...newest.map(image => ({ image, tags: image.tags ?? {} })),
    ...[...fixed.values()].flatMap(({ image, tags }) =>
      chunkByLength(tags, tag => tag, CHARACTERS_OF_TAGS).map(include => ({ image, tags: { include } }))),
  ];
}

/** Cuts long lists of repositories, and puts short ones together. A rule with wildcards stays by itself: EventBridge counts how much they make it try. */
function intoRules(scope: Construct, groups: PushedImages[]): PushedImages[][] {
  const choices = groups.flatMap(({ tags, repositoryNames }) => {
    const characters = JSON.stringify(tags).length;
    if (characters > CHARACTERS_OF_TAGS * 1.5) {
      throw new Error(`a tag filter of '${scope.node.scope!.node.path}' must fit into an event pattern, in about ${CHARACTERS_OF_TAGS} characters, got ${characters}: use fewer patterns with *, or several selections of the repository`);
    }
    const budget = CHARACTERS_OF_PATTERN - CHARACTERS_AROUND - characters;
    return chunkByLength(repositoryNames, name => name, budget).map(names => ({ tags, repositoryNames: names }));
  });
  const together = chunkByLength(choices.filter(({ tags }) => !usesWildcard(tags)), textOf, CHARACTERS_OF_PATTERN - CHARACTERS_AROUND);
  return [...choices.filter(({ tags }) => usesWildcard(tags)).map(choice => [choice]), ...together];
}

/** As long as the choice is in a pattern. */
function textOf({ repositoryNames, tags }: PushedImages): string {
  return [...repositoryNames, ...tags.include ?? [], ...tags.exclude ?? []].join('","') + 'x'.repeat(CHARACTERS_AROUND_A_CHOICE);
}

/** Where a repository is when its events don't reach this account's default bus by themselves. */
function placeOf(scope: Construct, { account, region }: EcrRepositoryLocation, isForwarded: boolean): string | undefined {
  const stack = Stack.of(scope);
  const isElsewhere = (one: string, here: string) => {
    const comparison = Token.compareStrings(one, here);
    // In a stack without an environment nobody knows; events that are forwarded are those of others.
    return comparison === TokenComparison.DIFFERENT || (isForwarded && comparison === TokenComparison.ONE_UNRESOLVED);
  };
  if (isElsewhere(account, stack.account)) {
    return `account ${account}`;
  }
  if (isElsewhere(region, stack.region)) {
    return `region ${region}`;
  }
  return undefined;
}
