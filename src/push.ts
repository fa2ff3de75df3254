import { Annotations, Stack, Token, TokenComparison } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import { aws_events } from 'aws-cdk-lib/interfaces';
import { Construct } from 'constructs';
import { CommandDocument } from './command-document';
import { chunkByLength } from './estimated-length';
import type { EcrRepositoryLocation, ImageSelectionConfig } from './image-selection-config';
import { NodeTarget } from './node-targets';
import { pushPattern } from './push-pattern';
import { allowStart, createAutomationRole, createEventsRole } from './push-roles';
import { PushRunbook } from './push-runbook';
import { TagFilter } from './tag-filter';
import { usesWildcard } from './tag-patterns';

/** A pattern may have 2,048 characters; what is not a repository name takes some of them. https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html */
const CHARACTERS_OF_PATTERN = 2_048;
const CHARACTERS_AROUND = 700;
const CHARACTERS_OF_TAGS = 700;
const MOST_TARGETS_OF_RULE = 5;
const MOST_WILDCARD_RULES_OF_BUS = 30;

export interface PushProps {
  readonly images: ImageSelectionConfig[];
  readonly targets: NodeTarget[];
  readonly document: CommandDocument;
  readonly maxConcurrency: string;
  readonly maxErrors: string;
  readonly logGroupName: string;
  readonly eventBus?: aws_events.IEventBusRef;
}

/** From an image pushed to ECR to the command on every selected node: rules, runbooks, and the two roles between them. */
export class Push extends Construct {
  /** Whether any of the images can be pushed where its event arrives. */
  public readonly canHappen: boolean;

  constructor(scope: Construct, id: string, props: PushProps) {
    super(scope, id);

    const groups = groupByPattern(this, props.images, props.eventBus);
    this.canHappen = groups.length > 0;
    if (!this.canHappen) return;

    const automationRole = createAutomationRole(this, 'AutomationRole', props.document.documentName, props.targets);
    const eventsRole = createEventsRole(this, 'EventsRole');
    const runbooks = props.targets.map((target, index) => new PushRunbook(this, numbered('Runbook', index), { ...props, target }));
    for (const runbook of runbooks) {
      allowStart(eventsRole, runbook.documentName, automationRole);
    }

    let rules = 0;
    let wildcardRules = 0;
    for (const group of groups) {
      const characters = JSON.stringify(group.tags).length;
      if (characters > CHARACTERS_OF_TAGS * 1.5) {
        throw new Error(`a tag filter must fit into an event pattern, in about ${CHARACTERS_OF_TAGS} characters, got ${characters}: use fewer patterns with *, or several selections of the repository`);
      }
      const budget = CHARACTERS_OF_PATTERN - CHARACTERS_AROUND - characters;
      for (const repositoryNames of chunkByLength(group.repositoryNames, name => name, budget)) {
        for (let from = 0; from < runbooks.length; from += MOST_TARGETS_OF_RULE) {
          new events.Rule(this, numbered('Rule', rules++), {
            description: 'Prefetches images that are pushed to ECR',
            eventBus: group.eventBus,
            eventPattern: pushPattern(group.account, group.region, repositoryNames, group.tags),
            targets: runbooks.slice(from, from + MOST_TARGETS_OF_RULE).map(runbook => ({
              bind: () => ({ arn: runbook.automationDefinitionArn, role: eventsRole, input: automationInput(automationRole.roleArn) }),
            })),
          });
          if (usesWildcard(group.tags)) wildcardRules++;
        }
      }
    }
    if (wildcardRules > MOST_WILDCARD_RULES_OF_BUS) {
      throw new Error(`an event bus takes ${MOST_WILDCARD_RULES_OF_BUS} rules with wildcards, and these tag filters need ${wildcardRules}: use exact, prefix or suffix patterns, or one filter for more repositories`);
    }
  }
}

function numbered(id: string, index: number): string {
  return index === 0 ? id : `${id}${index + 1}`;
}

/** An automation takes every value as a list. */
function automationInput(automationRoleArn: string): events.RuleTargetInput {
  return events.RuleTargetInput.fromObject({
    AutomationAssumeRole: [automationRoleArn],
    Account: [events.EventField.fromPath('$.account')],
    Region: [events.EventField.fromPath('$.region')],
    Repository: [events.EventField.fromPath('$.detail.repository-name')],
    Tag: [events.EventField.fromPath('$.detail.image-tag')],
  });
}

interface PatternGroup {
  readonly account: string;
  readonly region: string;
  readonly tags: TagFilter;
  readonly repositoryNames: string[];
  readonly eventBus?: events.IEventBus;
}

/** Repositories of one place whose tags are filtered alike share a rule. */
function groupByPattern(scope: Construct, images: ImageSelectionConfig[], eventBus?: aws_events.IEventBusRef): PatternGroup[] {
  const forwarded = eventBus && events.EventBus.fromEventBusName(scope, 'EventBus', eventBus.eventBusRef.eventBusName);
  const groups = new Map<string, PatternGroup>();
  const fixedTags = new Map<string, { image: ImageSelectionConfig; tags: string[] }>();
  const add = (image: ImageSelectionConfig, tags: TagFilter) => {
    const { account, region } = image.ecr!;
    const away = placeOf(scope, image.ecr!);
    if (away && !forwarded) {
      Annotations.of(scope).addWarningV2('cdk-eks-image-prefetcher:noPushEvents',
        `pushes to repository '${image.path}' of ${away} raise no event here: its images arrive when nodes join and at every reconcile; for pushes too, forward its ECR events to an event bus of this account and region and give that as eventBus`);
      return;
    }
    const key = JSON.stringify([account, region, tags]);
    const group = groups.get(key) ?? { account, region, tags, repositoryNames: [], eventBus: away ? forwarded : undefined };
    if (!group.repositoryNames.includes(image.path)) group.repositoryNames.push(image.path);
    groups.set(key, group);
  };

  for (const image of images.filter(each => each.ecr && !each.digest)) {
    if (image.tag === undefined) {
      add(image, image.tags ?? {});
    } else {
      const key = `${image.host}/${image.path}`;
      const fixed = fixedTags.get(key) ?? { image, tags: [] };
      if (!fixed.tags.includes(image.tag)) fixed.tags.push(image.tag);
      fixedTags.set(key, fixed);
    }
  }
  for (const { image, tags } of fixedTags.values()) {
    for (const include of chunkByLength(tags, tag => tag, CHARACTERS_OF_TAGS)) add(image, { include });
  }
  return [...groups.values()];
}

/** Where a repository is when its events don't reach this account's default bus by themselves. */
function placeOf(scope: Construct, { account, region }: EcrRepositoryLocation): string | undefined {
  const stack = Stack.of(scope);
  if (Token.compareStrings(account, stack.account) === TokenComparison.DIFFERENT) return `account ${account}`;
  if (Token.compareStrings(region, stack.region) === TokenComparison.DIFFERENT) return `region ${region}`;
  return undefined;
}
