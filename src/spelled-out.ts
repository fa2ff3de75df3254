import { Aws, CfnResource, DefaultTokenResolver, Reference, Token, Tokenization } from 'aws-cdk-lib';
import type { IPostProcessor, IResolvable, IResolveContext } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';
import { ecrHost } from './ecr-hosts';

/** As the rest of the library writes them, so that equal texts are equal. */
const PSEUDO_PARAMETERS: { [name: string]: string } = {
  'AWS::AccountId': Aws.ACCOUNT_ID,
  'AWS::Partition': Aws.PARTITION,
  'AWS::Region': Aws.REGION,
  'AWS::URLSuffix': Aws.URL_SUFFIX,
};

/** What stands for a token meanwhile: CDK must not see it as one. */
const KEPT = /cdkkept([0-9]+)x/g;

/**
 * A text with as little in tokens as can be: joins are joined, substitutions substituted, and parts that can be seen of
 * an ARN are taken out of it. What is left are references to resources, and what else only a deployment knows.
 */
export function spelledOut(scope: IConstruct, text: string): string {
  return new Spelling().of(scope, text);
}

class Spelling {
  private readonly kept: string[] = [];

  public of(scope: IConstruct, text: string): string {
    // References are kept, so that CDK still finds those that lead to another stack.
    const resolver = new ResolverButFor(token => Reference.isReference(token) ? this.keep(repositoryUri(token) ?? token.toString()) : undefined,
      (left, right) => [left, right].filter(part => part !== undefined).map(part => this.simplified(part)).join(''));
    return this.restored(this.simplified(Tokenization.resolve(text, { scope, resolver, preparing: false })));
  }

  private keep(token: string): string {
    return `cdkkept${this.kept.push(token) - 1}x`;
  }

  private restored(text: string): string {
    return text.replace(KEPT, (same, index) => this.kept[index] ?? same);
  }

  /** An intrinsic function as a text, worked out where that can be done. */
  private simplified(value: unknown): string {
    if (typeof value !== 'object' || value === null) {
      return String(value);
    }
    const [[name, operand]] = Object.entries(value) as [string, any][];
    const known = this.workedOut(name, operand);
    return known ?? this.keep(Token.asString(JSON.parse(this.restored(JSON.stringify(value)))));
  }

  private workedOut(name: string, operand: any): string | undefined {
    switch (name) {
      case 'Ref': return PSEUDO_PARAMETERS[operand] && this.keep(PSEUDO_PARAMETERS[operand]);
      case 'Fn::Join': return Array.isArray(operand[1]) ? operand[1].map((part: unknown) => this.simplified(part)).join(operand[0]) : undefined;
      // Pseudo parameters are all that CDK's own texts substitute (of images that an app builds).
      case 'Fn::Sub': return typeof operand === 'string' ? this.substituted(operand) : undefined;
      case 'Fn::Select': return this.selected(operand);
      default: return undefined;
    }
  }

  private substituted(text: string): string | undefined {
    const known = text.replace(/\$\{(AWS::\w+)\}/g, (same, name) => this.workedOut('Ref', name) ?? same);
    return known.includes('${') ? undefined : known;
  }

  /** Account or region of an ARN whose every part can be told apart. */
  private selected([index, list]: [unknown, any]): string | undefined {
    if (!Array.isArray(list?.['Fn::Split'])) {
      return undefined;
    }
    const [separator, text] = list['Fn::Split'];
    const parts = this.simplified(text).split(separator);
    return parts.length >= 6 ? parts[Number(index)] : undefined;
  }
}

class ResolverButFor extends DefaultTokenResolver {
  constructor(private readonly instead: (token: IResolvable) => string | undefined, join: (left: unknown, right: unknown) => string) {
    super({ join });
  }

  public resolveToken(token: IResolvable, context: IResolveContext, postProcessor: IPostProcessor): unknown {
    return this.instead(token) ?? super.resolveToken(token, context, postProcessor);
  }
}

/** `attrRepositoryUri` of an L1 hides what its parts show. */
function repositoryUri({ target, displayName }: Reference): string | undefined {
  if (displayName !== 'RepositoryUri' || !CfnResource.isCfnResource(target)) {
    return undefined;
  }
  return `${ecrHost(target.stack.account, target.stack.region)}/${target.ref}`;
}
