"""The node program as a module, and a node, an ECR and registries for it that are dictionaries."""
import collections
import importlib.util
import json
import os
import pathlib
import sys
import threading
import time

import pytest

ASSETS = pathlib.Path(__file__).resolve().parents[2] / 'assets'
PROGRAM = pathlib.Path(os.environ.get('NODE_PROGRAM') or ASSETS / 'image_prefetcher.py')  # mutations.py has others
HOST = '123456789012.dkr.ecr.us-east-1.amazonaws.com'
OCI = 'application/vnd.oci.image.manifest.v1+json'
PIN = 'io.cri-containerd.pinned'
OWNER = 'cdk-eks-image-prefetcher/owner.'
BROUGHT = 'cdk-eks-image-prefetcher/pulled'


def load(path=PROGRAM):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def program(monkeypatch, tmp_path):
    """A fresh copy for each test, so that a test may replace its functions; retries take no time."""
    module = load()
    monkeypatch.setattr(module, 'STATE', str(tmp_path / 'state'))
    (tmp_path / 'state').mkdir()
    # Folders of tests lie in one that everybody may write.
    module.really_trusted = module.trusted
    monkeypatch.setattr(module, 'trusted', module.os.path.realpath)
    monkeypatch.setattr(module.random, 'uniform', lambda low, high: 0.001)
    return module


def digest(number):
    return f'sha256:{number:064x}'


def settings(*images, **changes):
    values = dict(Owner='one', Revision='0123456789abcdef', ParallelPulls='3', PinImages='true', MaxDiskUsage='75',
                  TimeoutSeconds='600', LogGroup='group', Region='us-east-1')
    values.update(changes)
    return ''.join(f'{name}={value}\n' for name, value in values.items()) + ''.join(f'Image={one}\n' for one in images)


class FakeNode:
    """containerd, the CRI in front of it, ECR and registries. Every message goes through the program's own encoding."""

    def __init__(self, program, monkeypatch, tmp_path):
        self.program = program
        self.records = {}  # name -> dict(digest, labels, updated)
        self.registry = {}  # name -> digest, or an exception to raise
        self.sizes = collections.defaultdict(lambda: 7)
        self.architectures = {}  # digest -> architecture
        self.containers, self.ctr_containers, self.calls = [], [], []
        self.details = collections.defaultdict(list)  # repository -> ECR's details
        self.asked = []
        self.before_pull = lambda name: None
        self.lock = threading.Lock()
        self.pulling = self.most = 0
        self.room = 10.0 ** 12
        self.tmp_path = tmp_path
        monkeypatch.setattr(program, 'grpc', self.grpc)
        monkeypatch.setattr(program.Aws, 'call', self.aws)
        monkeypatch.setattr(program.Aws, 'credentials', lambda aws: None)
        monkeypatch.setattr(program.Http, 'request', self.http)
        monkeypatch.setattr(program.Disk, 'room', lambda disk: self.room)
        monkeypatch.setattr(program, 'find_kubelet', lambda: program.Kubelet(True, [], {}))
        self.credentials_of = program.Credentials.of
        monkeypatch.setattr(program.Credentials, 'of', lambda credentials, image, refused=(): [])
        self.machine = program.os.uname().machine.replace('x86_64', 'amd64').replace('aarch64', 'arm64')

    # -- what is there

    def image_id(self, digest_):
        return 'sha256:' + digest_[-60:].rjust(64, 'f')

    def bring(self, name, digest_, labels=None):
        self.records[name] = dict(digest=digest_, labels=dict(labels or {}), updated=time.time())

    def pull(self, name, digest_):
        """As the CRI does, by whomever."""
        repository = self.program.repository_of(name)
        for one in {name, f'{repository}@{digest_}', self.image_id(digest_)}:
            if self.records.get(one, {}).get('digest') != digest_:
                self.bring(one, digest_, self.records.get(one, {}).get('labels'))

    def push(self, repository, tag, number, pushed=0.0, **more):
        self.registry[f'{repository}:{tag}'] = self.registry[f'{repository}@{digest(number)}'] = digest(number)
        for detail in self.details[repository]:
            detail['imageTags'] = [one for one in detail['imageTags'] if one != tag]
        for detail in self.details[repository]:
            if detail['imageDigest'] == digest(number):
                detail['imageTags'].append(tag)
                return
        self.details[repository].append(dict(dict(
            imageDigest=digest(number), imageTags=[tag], imagePushedAt=pushed or number, imageSizeInBytes=number,
            imageManifestMediaType=OCI), **more))

    def names(self):
        return sorted(name for name in self.records if not name.startswith('sha256:'))

    def labels(self, name):
        labels = dict(self.records[name]['labels'])
        labels.pop('cdk-eks-image-prefetcher/written', None)
        return labels

    # -- gRPC

    def grpc(self, endpoint, method, request, message, answer, seconds, watch=None):
        self.calls.append(method)
        sent = self.program.decode(request, self.program.encode(request, message))
        name = method.replace('runtime.v1.', '').replace('containerd.services.', '').replace('.', '_').replace('/', '_')
        said = getattr(self, name)(sent, watch) or {}
        return self.program.decode(answer, self.program.encode(answer, said))

    def ImageService_ImageFsInfo(self, sent, watch):
        return dict(image_filesystems=dict(fs_id=dict(mountpoint=str(self.tmp_path))))

    def cri_image(self, digest_):
        names = [name for name, one in self.records.items() if one['digest'] == digest_ and not name.startswith('sha256:')]
        return dict(id=self.image_id(digest_), repo_tags=[one for one in names if '@' not in one],
                    repo_digests=[one for one in names if '@' in one], size=self.sizes[digest_])

    def ImageService_ListImages(self, sent, watch):
        return dict(images=[self.cri_image(one) for one in sorted({one['digest'] for one in self.records.values()})])

    def ImageService_ImageStatus(self, sent, watch):
        record = self.records.get(sent['image'][0]['image'][0])
        if not record:
            return {}
        spec = dict(architecture=self.architectures.get(record['digest'], self.machine), os='linux')
        return dict(image=self.cri_image(record['digest']), info=[dict(key='info', value=json.dumps(dict(imageSpec=spec)))])

    def ImageService_PullImage(self, sent, watch):
        name = sent['image'][0]['image'][0]
        with self.lock:
            self.pulling += 1
            self.most = max(self.most, self.pulling)
        try:
            if watch:
                watch()
            self.before_pull(name)
            said = self.registry.get(name, self.program.Failure(f'failed to resolve reference "{name}": not found', 5))
            if isinstance(said, Exception):
                raise said
            with self.lock:
                self.pull(name, said)
        finally:
            with self.lock:
                self.pulling -= 1

    def ImageService_RemoveImage(self, sent, watch):
        identity = sent['image'][0]['image'][0]
        self.records = {name: one for name, one in self.records.items() if self.image_id(one['digest']) != identity}

    def RuntimeService_ListContainers(self, sent, watch):
        return dict(containers=[dict(image=dict(image=one), image_ref=one) for one in self.containers])

    def containers_v1_Containers_List(self, sent, watch):
        return dict(containers=[dict(image=one) for one in self.ctr_containers])

    def record(self, name):
        one = self.records[name]
        return dict(name=name, labels=[dict(key=key, value=value) for key, value in one['labels'].items()],
                    target=dict(media_type=OCI, digest=one['digest'], size=400),
                    updated_at=dict(seconds=int(one['updated']), nanos=int(one['updated'] % 1 * 1e9)))

    def images_v1_Images_List(self, sent, watch):
        return dict(images=[self.record(name) for name in list(self.records)])

    def images_v1_Images_Get(self, sent, watch):
        if sent['name'][0] not in self.records:
            raise self.program.Failure('not found', 5)
        return dict(image=self.record(sent['name'][0]))

    def images_v1_Images_Create(self, sent, watch):
        image = sent['image'][0]
        if image['name'][0] in self.records:
            raise self.program.Failure('already exists', 6)
        labels = dict((one['key'][0], (one['value'] or [''])[0]) for one in image['labels'])
        labels.pop('io.cri-containerd.image')
        self.bring(image['name'][0], image['target'][0]['digest'][0], labels)
        return dict(image=self.record(image['name'][0]))

    def images_v1_Images_Update(self, sent, watch):
        image, name = sent['image'][0], sent['image'][0]['name'][0]
        assert image['target'][0]['digest'] == [self.records[name]['digest']]  # the real one crashes without
        given = dict((one['key'][0], (one['value'] or [''])[0]) for one in image['labels'])
        for path in sent['update_mask'][0]['paths']:
            key = path[len('labels.'):]
            self.records[name]['labels'].pop(key, None)
            self.records[name]['labels'].update({key: given[key]} if key in given else {})
        self.records[name]['updated'] = time.time()
        return dict(image=self.record(name))

    def leases_v1_Leases_Create(self, sent, watch):
        return {}

    leases_v1_Leases_Delete = content_v1_Content_ListStatuses = leases_v1_Leases_Create

    # -- ECR, Logs, registries

    def aws(self, service, endpoint, region, target, question, seconds=10):
        raise AssertionError  # replaced below: a method of Aws takes it first

    def http(self, method, url, headers, body='', seconds=10, *options):
        raise AssertionError

    # -- a run

    def parameters(self, *images, pushed='', **changes):
        environment = dict(SSM_Pushed=pushed) if pushed else {}
        return self.program.parse_parameters(settings(*images, **changes), environment, [])

    def run(self, *images, pushed='', seconds=20, **changes):
        """The lines of a run by outcome, its exit code and the run itself."""
        program = self.program
        parameters = self.parameters(*images, pushed=pushed, **changes)
        report = program.Report(parameters.moment, parameters.owner)
        deadline = program.Deadline(seconds)
        aws = program.Aws(program.Http(deadline), report)
        summary = {}
        handle = program.lock
        program.lock = lambda deadline: 0
        try:
            code = program.prefetch(parameters, report, deadline, aws, summary)
        finally:
            program.lock = handle
        lines = [json.loads(text) for _, text in report.events]
        return Ran(code, lines, summary)


class Ran:
    def __init__(self, code, lines, summary):
        self.code, self.lines, self.summary = code, lines, summary
        self.outcomes = {line['image']: line['outcome'] for line in lines}

    def reason(self, image):
        return next(line.get('reason', '') for line in self.lines if line['image'] == image)


@pytest.fixture
def node(program, monkeypatch, tmp_path):
    one = FakeNode(program, monkeypatch, tmp_path)

    def call(aws, service, endpoint, region, target, question, seconds=10):
        one.asked.append((target.rpartition('.')[2], question))
        return ecr(one, question) if service == 'ecr' else {}

    def request(http, method, url, headers, body='', seconds=10, *options):
        one.asked.append((method, url))
        host, _, rest = url.partition('//')[2].partition('/')
        path, _, tag = rest[len('v2/'):].partition('/manifests/')
        said = one.registry.get(f'{host}/{path}:{tag}')
        if isinstance(said, Exception):
            raise said
        headers = {'docker-content-digest': said} if said else {}
        return program.Answer(200 if said else 404, headers, b'')

    monkeypatch.setattr(program.Aws, 'call', call)
    monkeypatch.setattr(program.Http, 'request', request)
    return one


def ecr(node, question):
    repository = f'{HOST}/{question["repositoryName"]}'
    failure = node.registry.get(repository)
    if isinstance(failure, Exception):
        raise failure
    if repository not in node.details:
        raise node.program.Failure('DescribeImages: RepositoryNotFoundException: it does not exist')
    details = node.details[repository]
    if 'imageIds' in question:
        found = []
        for one in question['imageIds']:
            matching = [detail for detail in details if one['imageTag'] in detail['imageTags']]
            if not matching:
                raise node.program.Failure(f"DescribeImages: ImageNotFoundException: The image with imageId "
                                           f"{{imageDigest:'null', imageTag:'{one['imageTag']}'}} does not exist")
            found += matching
        return dict(imageDetails=found)
    at = int(question.get('nextToken', 0))
    page = dict(imageDetails=details[at:at + question['maxResults']])
    return dict(page, nextToken=str(at + question['maxResults'])) if len(details) > at + question['maxResults'] else page
