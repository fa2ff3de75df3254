import type { NodeOptions, Testbed, Workspace } from '../../testbed/engines';
import { FaultProxy } from '../../testbed/engines';

interface Place {
  readonly url: string;
}

type Named = 'registry' | 'ecr' | 'logs' | 'ssm';

/** All that a node reaches, each by something that can fail. */
export class Ways {
  static async open({ workspace, registry, moto }: Testbed): Promise<Ways> {
    const ways = new Ways(workspace, registry, { url: moto.endpoint });
    await Promise.all(ways.all.map(proxy => proxy.start()));
    return ways;
  }

  readonly registry: FaultProxy;
  readonly ecr: FaultProxy;
  readonly logs: FaultProxy;
  readonly ssm: FaultProxy;
  readonly metadata: FaultProxy;
  /** Each node has its own, which starts when it boots. */
  private readonly metadataPlace = { url: '' };

  private constructor(workspace: Workspace, registry: Place, api: Place) {
    this.registry = new FaultProxy(workspace, registry);
    [this.ecr, this.logs, this.ssm] = [api, api, api].map(place => new FaultProxy(workspace, place));
    this.metadata = new FaultProxy(workspace, this.metadataPlace);
  }

  get all(): FaultProxy[] {
    return [this.registry, this.ecr, this.logs, this.ssm, this.metadata];
  }

  /** Nothing fails. */
  calm(): void {
    for (const proxy of this.all) {
      proxy.fault = () => undefined;
    }
  }

  /** A node that has no other ways; by which address it takes each, the caller says. */
  options(registryHost: string, address: (name: Named) => string = name => this[name].url): NodeOptions {
    return {
      registries: { [registryHost]: address('registry') },
      aws: { AWS_ENDPOINT_URL_ECR: address('ecr'), AWS_ENDPOINT_URL_LOGS: address('logs'), AWS_ENDPOINT_URL_SSM: address('ssm') },
      metadataWay: endpoint => {
        this.metadataPlace.url = endpoint;
        return this.metadata.url;
      },
    };
  }
}
