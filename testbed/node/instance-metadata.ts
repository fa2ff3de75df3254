import * as fs from 'node:fs';
import * as path from 'node:path';
import { engine } from '../engines/cache';
import { Daemon, freePort, waitFor } from '../engines/processes';

export interface InstanceMetadataProps {
  readonly instanceId: string;
  readonly region: string;
  readonly availabilityZone: string;
  /** `autoscaling/target-lifecycle-state`, such as `InService` or `Warmed:Stopped`. */
  readonly lifecycleState: string;
}

const ROLE = 'node-role';

/** The instance metadata service of one node (version 2: nothing without a token), on the loopback address. */
export class InstanceMetadata {
  private port = 0;
  private daemon?: Daemon;

  constructor(private readonly folder: string, private readonly props: InstanceMetadataProps) {}

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    this.port = await freePort();
    const file = path.join(this.folder, 'instance-metadata.json');
    fs.writeFileSync(file, JSON.stringify({
      server: { hostname: '127.0.0.1', port: String(this.port) },
      imdsv2: true,
      metadata: {
        values: {
          'instance-id': this.props.instanceId,
          'placement-region': this.props.region,
          'placement-availability-zone': this.props.availabilityZone,
          'iam-security-credentials-role': ROLE,
          'iam-security-credentials': {
            Code: 'Success',
            LastUpdated: new Date().toISOString(),
            Type: 'AWS-HMAC',
            AccessKeyId: 'testbed',
            SecretAccessKey: 'testbed',
            Token: 'testbed-token',
            Expiration: new Date(Date.now() + 6 * 3_600_000).toISOString(),
          },
          'ramdisk-id': this.props.lifecycleState,
        },
        paths: {
          // Both have the name of the role in their path.
          'iam-security-credentials': `/latest/meta-data/iam/security-credentials/${ROLE}`,
          // By itself the mock says InService or Terminated here and nothing else, so it has another value in this place.
          'target-lifecycle-state': '/latest/meta-data/autoscaling/not-used',
          'ramdisk-id': '/latest/meta-data/autoscaling/target-lifecycle-state',
        },
      },
    }));
    const daemon = new Daemon([engine('ec2-metadata-mock'), '--config-file', file, '--imdsv2', '--hostname', '127.0.0.1', '--port', String(this.port)],
      path.join(this.folder, 'instance-metadata.log'));
    this.daemon = daemon;
    // Without a token it refuses, and so shows that it is there.
    await waitFor('the instance metadata service', async () => (await fetch(`${this.endpoint}/latest/meta-data/instance-id`)).status === 401 || undefined,
      60, () => daemon.logTail);
  }

  async stop(): Promise<void> {
    await this.daemon?.stop();
  }
}
