import * as crypto from 'node:crypto';
import { every, status } from './rules';
import { ImageSelection } from '../../../src';
import { pushEvent } from '../../../testbed/engines';
import { only, repository, runsOfEvent } from '../../nodes/real-nodes';
import type { FaultCase } from '../fault-case';
import type { Scene } from '../scene';

const INDEX = 'application/vnd.oci.image.index.v1+json';
const ARTIFACT = 'application/vnd.oci.artifact.manifest.v1+json';
const MANY = Array.from({ length: 50 }, (_, at) => `many-${at}`);
const SICK = MANY.filter((_, at) => at % 10 === 3);

/** A push of something else than the case's own image, to the same repository. */
async function pushRaw(scene: Scene, tag: string, content: object, mediaType: string): Promise<ReturnType<typeof pushEvent>> {
  const { ecr, registry } = scene.bed.testbed;
  const manifest = JSON.stringify(content);
  const digest = `sha256:${crypto.createHash('sha256').update(manifest).digest('hex')}`;
  if (mediaType === INDEX) {
    await registry.putManifest(scene.name, tag, manifest, mediaType);
  }
  await ecr.putImage({ repository: scene.name, tag, digest, manifest, mediaType });
  const event = pushEvent({ account: ecr.account, region: ecr.region, repository: scene.name, tag, digest, mediaType });
  // Whether events of such things say what they are is not known.
  const { 'artifact-media-type': _, 'manifest-media-type': __, ...detail } = event.detail;
  return { ...event, detail };
}

const runOf = async (scene: Scene, event: ReturnType<typeof pushEvent>) => [only(runsOfEvent(await scene.deployment.plane.putEvent(event)))];

/** Images that are not what a node can run, and many of which some fail. */
export const IMAGES: FaultCase[] = [
  {
    fault: 'An image for another architecture is pushed',
    run: async scene => {
      const { digest, mediaType, manifest } = scene.pushed.image;
      const child = { mediaType, digest, size: manifest.length, platform: { os: 'linux', architecture: 's390x' } };
      return runOf(scene, await pushRaw(scene, 'foreign', { schemaVersion: 2, mediaType: INDEX, manifests: [child] }, INDEX));
    },
    status: 'Success',
    says: /skipped: this node cannot run it: .*no match for platform/,
    leaves: [/foreign\.json remembers/, 'that this node cannot run it, until the next boot'],
  },
  {
    fault: 'An artifact that is no image is pushed',
    run: async scene => runOf(scene, await pushRaw(scene, 'chart', { mediaType: ARTIFACT, artifactType: 'application/vnd.cncf.helm.config.v1+json', blobs: [] }, ARTIFACT)),
    status: 'Success',
    says: /skipped: it is not a container image, or archived/,
  },
  {
    fault: 'An image is pushed and deleted from the registry at once',
    inject: ({ registry, pushed }) => {
      const missing = status(404, { errors: [{ code: 'MANIFEST_UNKNOWN' }] });
      registry.fault = every(({ path }) => path.includes(pushed.image.digest) || path.endsWith('/manifests/v1'), missing);
    },
    status: 'Failed',
    outcome: 'failed',
    says: /not found/,
  },
  {
    fault: '50 images, of which 5 fail',
    moment: 'reconcile',
    props: stack => ({ images: MANY.map(name => ImageSelection.repository(repository(stack, name))), parallelPulls: 4 }),
    inject: async ({ bed, registry }) => {
      for (const name of MANY) {
        await bed.push(name, 'v1', { megabytes: 0 });
      }
      registry.fault = every(({ path }) => path.includes('/manifests/') && SICK.some(name => path.includes(`/${name}/`)), status(404));
    },
    status: 'Failed',
    outcome: 'pulled',
    says: /46 × pulled/,
    alarms: ['Failures'],
    expect: async ([run], scene) => {
      const of = (outcome: string) => run.images.filter(line => line.outcome === outcome).map(({ image }) => image.replace(/.*\/|:.*/g, ''));
      expect(of('failed').sort()).toEqual([...SICK].sort());
      expect(of('pulled')).toHaveLength(46);
      // The five come with the next run, and nothing else does.
      const again = await scene.run('reconcile');
      expect(again).toMatchObject({ status: 'Success', summary: { pulled: 5, failed: 0 } });
    },
  },
];
