"""Brings container images onto an EKS node before pods need them, exactly as the node's own kubelet would.

Runs as root with Python 3.9, curl and, where ECR is to be asked, the AWS CLI. Settings are on descriptor 3, parameters
are environment variables SSM_<Name>; the arguments `gate SECONDS` mean: at boot, before the kubelet runs, for so long.
Prints one JSON line per image and a summary.
Exit code: 0 every wanted image is there, 1 some is not, 2 wrong parameters or an unsupported node.
Two braces in a row may not occur in this file: Systems Manager would take them for a parameter.
"""
import base64
import collections
import fcntl
import fnmatch
import glob
import itertools
import json
import os
import random
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor

STATE = '/run/cdk-eks-image-prefetcher'
GATE_REPORT = STATE + '/gate.json'
PLUGINS = '/etc/eks/image-credential-provider'
IMAGES = 'containerd.services.images.v1.Images/'
LEASES = 'containerd.services.leases.v1.Leases/'
# Labels on containerd's image records. An owner's value: newest or fixed, +pinned; or RELEASED: may be removed.
PIN = 'io.cri-containerd.pinned'
OWNER = 'cdk-eks-image-prefetcher/owner.'
PULLED = 'cdk-eks-image-prefetcher/pulled'
RELEASED = 'released'
# Room an arriving image takes: its compressed layers, and about twice that unpacked.
UNPACKED = 3

# ---- The grammar of the parameters ----

LABEL = '[a-z0-9]+(?:-+[a-z0-9]+)*'
HOST = r'((?:localhost|%s(?:\.%s)+|%s(?=:))(?::\d{1,5})?)' % (LABEL, LABEL, LABEL)
PART = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*'
PATH = '%s(?:/%s)*' % (PART, PART)
TAG = r':(\w[\w.-]{0,127})'
FIXED = re.compile(HOST + '/(%s)(?:%s|@(sha256:[0-9a-f]{64}))' % (PATH, TAG), re.ASCII)
NEWEST = re.compile(HOST + r'/(%s(?:,%s)*)\?newest=([1-9]\d{0,3})((?:&(?:in|ex)clude=[\w.*-]{1,256})*)' % (PATH, PATH),
                    re.ASCII)
ECR_HOST = re.compile(r'(\d{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.[a-z0-9.-]+')
CONTAINER_IMAGE = re.compile(r'application/vnd\.(docker\.(container|distribution)|oci\.image)\.')
# What is fixed in the document, a line each, and what a run is given in the environment.
SETTINGS = [
    ('Owner', r'[\w.-]{1,64}'),
    ('ParallelPulls', '[1-9]|1[0-6]'),
    ('PinImages', 'true|false'),
    ('MaxDiskUsage', r'[1-9]\d?|100'),
    ('TimeoutSeconds', r'[1-9]\d{1,5}'),
    ('LogGroup', r'[\w.#/-]{1,512}'),
    ('Region', '[a-z0-9-]+'),
    ('Revision', '[0-9a-f]{1,64}'),
]
PARAMETERS = [
    ('Pushed', '(%s/%s%s)?' % (HOST, PATH, TAG)),
    ('PushedAt', r'(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)?'),
    ('Revision', '[0-9a-f]{0,64}'),
    ('StartDelaySeconds', r'\d|[1-9]\d|1[01]\d|120'),
]


class Selection:
    """The word `HOST/repository,repository?newest=N&include=PATTERN&exclude=PATTERN`."""

    def __init__(self, match):
        self.host, paths, count, patterns = match.groups()
        self.repositories = [self.host + '/' + path for path in paths.split(',')]
        self.count = int(count)
        self.include = re.findall('&include=([^&]+)', patterns) or ['*']
        self.exclude = re.findall('&exclude=([^&]+)', patterns) + ['sha256-*']  # signatures and attestations

    def takes(self, tag):
        return any(fnmatch.fnmatchcase(tag, one) for one in self.include) and not any(
            fnmatch.fnmatchcase(tag, one) for one in self.exclude)

    def newest(self, details):
        """The newest images among ECR's details, each with the tags that are wanted."""
        found = []
        order = sorted(details, key=lambda one: (str(one.get('imagePushedAt')), one['imageDigest']))
        for detail in reversed(order):
            tags = [tag for tag in sorted(detail.get('imageTags', [])) if self.takes(tag)]
            if tags and is_container_image(detail):
                found.append((detail, tags))
        return found[:self.count]


def is_container_image(detail):
    """Charts, SBOMs and SOCI indexes sit in repositories too."""
    kinds = detail.get('imageManifestMediaType'), detail.get('artifactMediaType')
    return all(CONTAINER_IMAGE.match(kind) for kind in kinds if kind)


def selections(words):
    return [Selection(match) for match in map(NEWEST.fullmatch, words) if match]


def place(reference):
    """What a reference names, whichever of ECR's host names for one registry it uses."""
    host, _, rest = reference.partition('/')
    registry = ECR_HOST.fullmatch(host)
    return registry.groups() if registry else host, rest


def wanted(words, reference):
    """Whether a pushed HOST/repository:tag is among the wanted images."""
    return bool(arrivals(words, reference))


def arrivals(words, reference):
    """The wanted images that a pushed HOST/repository:tag is."""
    repository, _, tag = reference.rpartition(':')
    newest = any(repository in one.repositories and one.takes(tag) for one in selections(words))
    return [reference] * newest + [word for word in words if place(word) == place(reference)]


# ---- What goes wrong, and what may pass by itself ----

LASTING = re.compile(r'not ?found|denied|unauthori[sz]ed|forbidden|\b40[0134]\b|no match for platform|no space', re.I)
PASSING = re.compile(r'\b429\b|too ?many ?requests|\b5\d\d\b|reset|refused|timed? ?out|deadline|EOF|unavailable|throttl'
                     '|rate exceeded|no such host|broken pipe|cancell?ed'
                     '|could not connect|locate credentials|server ?e', re.I)


class Failure(Exception):
    """What went wrong, in words; `passing` when it makes sense to try again."""

    def __init__(self, text, code=None, outcome='failed'):
        super().__init__(text)
        self.outcome = outcome
        self.passing = outcome == 'failed' and can_pass(text, code)


def can_pass(text, code=None):
    """Judges an error text and the gRPC status it came with."""
    text = re.sub(r'\S*/\S*|\w{32,}', '', text)  # references, addresses and digests may hold any word
    return not LASTING.search(text) and code not in (5, 7, 16) and (code in (4, 14) or bool(PASSING.search(text)))


class Run:
    """The parameters of one run and what it has learnt so far."""

    def __init__(self, moment):
        self.moment = moment
        self.started = time.monotonic()
        self.owner = self.endpoint = self.error = self.revision = self.expected = ''
        self.images, self.providers, self.flights = [], [], []
        self.answers, self.refusals, self.records = {}, {}, {}
        self.secrets, self.unlisted, self.missing = set(), set(), set()
        self.asking, self.changed = threading.Lock(), threading.Condition()
        self.counts = collections.Counter()
        self.room = 24000  # SSM keeps no more of stdout

    def read_parameters(self, environment, settings, seconds=''):
        """From the environment, the lines of the document, and the argument that replaces TimeoutSeconds."""
        lines = [line.partition('=')[::2] for line in settings.splitlines()]
        fixed = dict(lines)
        self.words = [value for name, value in lines if name == 'Image']
        unknown = {*fixed} - {'Image', *dict(SETTINGS)}
        if unknown:
            raise ValueError(f'the document has a setting {min(unknown)[:200]!r}, allowed are Image, '
                             + ', '.join(dict(SETTINGS)))
        values = []
        for source, grammar in ((fixed, SETTINGS), (environment, PARAMETERS)):
            for name, pattern in grammar:
                default = '0' if name == 'StartDelaySeconds' else ''
                value = source.get(name if source is fixed else 'SSM_' + name, default)
                if not re.fullmatch(pattern, value, re.ASCII):
                    raise ValueError(f'{name} is {value[:200]!r}, allowed is what matches {pattern}')
                values.append(value)
        (self.owner, parallel, pin, usage, timeout, self.log_group, self.region, self.revision,
         self.pushed, self.pushed_at, self.expected, self.start_delay) = values
        timeout = seconds or timeout
        for word in self.words:
            newest = NEWEST.fullmatch(word)
            if not FIXED.fullmatch(word) and not (newest and ECR_HOST.fullmatch(newest[1])):
                raise ValueError(f'Image is {word[:300]!r}, allowed are HOST/path:tag, HOST/path@sha256:digest and, '
                                 'of a private ECR host, HOST/repository?newest=N&include=PATTERN&exclude=PATTERN')
        # The boot gate may be shorter than anything SSM runs.
        shortest = 10 if self.moment == 'gate' else 60
        if not re.fullmatch(r'\d{1,6}', timeout, re.ASCII) or not shortest <= int(timeout) <= 172800:
            raise ValueError(f'TimeoutSeconds is {timeout}, allowed is {shortest} to 172800')
        if self.pushed and self.moment != 'gate':
            self.moment = 'push'
        self.parallel, self.pin, self.max_usage = int(parallel), pin == 'true', int(usage)
        # SSM kills at the timeout without a report, so end a little earlier.
        self.deadline = self.started + int(timeout) - min(30, int(timeout) / 10)

    def left(self):
        return self.deadline - time.monotonic()

    def scrub(self, text):
        for secret in self.secrets:
            text = text.replace(secret, '***')
        return re.sub('[^ -~]+', ' ', text)[:500]

    def report(self, reference, outcome, reason='', **facts):
        line = dict(image=reference, outcome=outcome, **facts)
        if reason:
            line['reason'] = self.scrub(str(reason))
        with self.changed:
            self.counts[outcome] += 1
            # When there is too much to say, what is simply there gives way.
            self.say(line, 8000 if outcome == 'present' else 3000)

    def say(self, line, spare=0):
        text = json.dumps(line, separators=(',', ':'))
        if len(text) < self.room - spare:
            self.room -= len(text) + 1
            print(text, flush=True)

    def summary(self):
        facts = dict(moment=self.moment, owner=self.owner, revision=self.revision, wanted=len(self.images))
        if self.expected and self.expected != self.revision:
            facts['stale'] = True
        for outcome in 'present', 'pulled', 'failed', 'refused', 'skipped', 'unpinned', 'removed':
            facts[outcome] = self.counts[outcome]
        facts.update(seconds=round(time.monotonic() - self.started, 1), endpoint=self.endpoint)
        if self.error:
            facts['error'] = self.scrub(self.error)
        return facts


def persist(run, action, attempts=7):
    """Tries again, ever later, what can pass."""
    for attempt in range(attempts):
        try:
            return action()
        except Failure as failure:
            # Jitter keeps a thousand nodes from asking again in step.
            pause = min(30, 2 ** attempt) * random.uniform(0.5, 1.5)
            if not failure.passing or attempt + 1 == attempts or run.left() < pause:
                raise
            time.sleep(pause)


def call(run, command, stdin=b'', seconds=60, watch=None, environment=()):
    """Runs a command until it ends, its time is over or watch() says why to stop: (exit code, stdout, stderr)."""
    end = time.monotonic() + min(seconds, run.left())
    if run.left() < 0:
        raise Failure('TimeoutSeconds is over')
    try:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=dict(os.environ, **dict(environment)))
    except OSError as error:
        raise Failure(f'cannot run {command[0]}: {error.strerror}') from None
    with process:
        while True:
            try:
                out, err = process.communicate(stdin, 0.05)
                return process.returncode, out, err.decode(errors='replace')
            except subprocess.TimeoutExpired:
                stdin = None
                stop = watch and watch()
                if stop or time.monotonic() > end:
                    process.kill()
                    raise Failure(stop or command[0] + ' timed out', outcome='refused' if stop else 'failed') from None


# ---- gRPC with curl; a message is a list of (field number, value) ----

def varint(number):
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + varint(number >> 7)


def encode(fields):
    out = b''
    for field, value in fields:
        if isinstance(value, int):
            out += varint(field << 3) + varint(value)
        else:
            data = value.encode() if isinstance(value, str) else value if isinstance(value, bytes) else encode(value)
            out += varint(field << 3 | 2) + varint(len(data)) + data
    return out


def decode(data):
    """Field number -> values, each a number or bytes: a text or a message."""
    message = collections.defaultdict(list)
    data = iter(data)

    def number(byte):
        return byte if byte < 128 else byte & 127 | number(next(data)) << 7

    for byte in data:
        key = number(byte)
        kind = key & 7
        value = number(next(data)) if kind in (0, 2) else 8 if kind == 1 else 4
        message[key >> 3].append(bytes(itertools.islice(data, value)) if kind else value)
    return message


def texts(message, field):
    return [value.decode() for value in message[field]]


def grpc(run, endpoint, method, fields=(), seconds=60, watch=None):
    """One call; the request, which may carry credentials, goes by stdin only."""
    body = encode(fields)
    _, out, err = call(run, [
        'curl', '-q', '-sS', '--noproxy', '*', '--http2-prior-knowledge',
        '--unix-socket', endpoint.replace('unix://', ''), '--data-binary', '@-', '-D', '/dev/stderr',
        '-H', 'content-type: application/grpc', '-H', 'te: trailers', '-H', 'containerd-namespace: k8s.io',
        'http://localhost/' + method,
    ], b'\0' + len(body).to_bytes(4, 'big') + body, seconds, watch)
    trailers = dict(re.findall(r'(?m)^(grpc-\w+): *(.*?)\r?$', err))
    code = int(trailers.get('grpc-status', 14))
    if code:
        message = trailers.get('grpc-message') or f'no answer of {endpoint}: {err.strip()[-200:]}'
        raise Failure(urllib.parse.unquote(message), code)
    return decode(out[5:])


def cri(run, method, fields=(), **options):
    images = 'Image' in method
    return grpc(run, run.endpoint if images else run.containerd,
                f'runtime.v1.{"Image" if images else "Runtime"}Service/{method}', fields, **options)


def image_status(run, reference):
    """(digest references, bytes) of an image the CRI has, else None."""
    # A restart of containerd may pass.
    answer = persist(run, lambda: cri(run, 'ImageStatus', [(1, [(1, reference)])]))
    for image in map(decode, answer[1]):
        return texts(image, 3), sum(image[4])


# ---- The node ----

def merged_config(folder):
    """The kubelet's configuration: the file, then its drop-ins in order."""
    config = {}
    for path in [folder + '/config.json', *sorted(glob.glob(folder + '/config.json.d/*.conf'))]:
        try:
            with open(path) as file:
                config.update(json.load(file))
        except (OSError, ValueError):
            pass  # not written yet, or not JSON: defaults serve
    return config


def kubelet_command():
    """The kubelet's arguments, each ended by a NUL; empty when it does not run."""
    for path in glob.glob('/proc/[0-9]*/cmdline'):
        try:
            with open(path) as file:
                command = file.read()
        except OSError:
            continue  # that process has just ended
        if os.path.basename(command.split('\0')[0]) == 'kubelet':
            return command
    return ''


def flag(command, name, default):
    found = re.search('\0--' + name + '[=\0]([^\0]+)', command)
    return found[1] if found else default


def wait_for_node(run):
    """Until the kubelet runs and the endpoint it uses answers; at the gate the kubelet waits for us."""
    until = min(run.deadline, time.monotonic() + 900)
    while True:
        command = kubelet_command() if run.moment != 'gate' else '\0'
        config = merged_config('/etc/kubernetes/kubelet')
        run.containerd = config.get('containerRuntimeEndpoint') or 'unix:///run/containerd/containerd.sock'
        run.endpoint = config.get('imageServiceEndpoint') or run.containerd
        try:
            if not command:
                raise Failure('the kubelet does not run')
            filesystem = decode(cri(run, 'ImageFsInfo', seconds=10)[1][0])
            break
        except (Failure, IndexError) as failure:
            if time.monotonic() > until:
                raise Failure(f'the node is not ready: {failure}') from None
        time.sleep(1)
    run.mount = texts(decode(filesystem[2][0]), 1)[0]
    run.plugins = flag(command, 'image-credential-provider-bin-dir', PLUGINS)
    path = flag(command, 'image-credential-provider-config', PLUGINS + '/config.json')
    if os.path.exists(path):
        try:
            with open(path) as file:
                run.providers = json.load(file)['providers']
        except (ValueError, KeyError):
            raise Failure(f'{path} is not the JSON of a kubelet CredentialProviderConfig') from None


def lock(run):
    """Two runs never pull the same image twice."""
    handle = open(STATE + '/lock', 'w')
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
        except OSError:
            if run.left() < 0:
                raise Failure(f'another run still holds {STATE}/lock') from None
        time.sleep(0.5)


# ---- Credentials, from the kubelet's own plugin ----

def matches_image(pattern, reference):
    """The kubelet's matchImages: a glob per part of the host name, the same port, a prefix of the path."""
    host, _, path = pattern.partition('/')
    image_host, _, image_path = reference.partition('/')
    parts, image_parts = re.split('[.:]', host), re.split('[.:]', image_host)
    return (len(parts) == len(image_parts) and (':' in host) == (':' in image_host) and image_path.startswith(path)
            and all(map(fnmatch.fnmatchcase, image_parts, parts)))


def pick_credentials(auth, reference):
    """(user, password) of the most exact key, as the kubelet looks them up."""
    for key in sorted(auth, reverse=True):
        if matches_image(key, reference):
            return auth[key].get('username', ''), auth[key].get('password', '')


def credentials(run, reference):
    """(user, password), None for an image no provider matches; a provider is asked once per registry."""
    with run.asking:
        for provider in run.providers:
            if any(matches_image(pattern, reference) for pattern in provider['matchImages']):
                key = provider['name'], reference.partition('/')[0]
                if key not in run.answers:
                    try:
                        run.answers[key] = ask_plugin(run, provider, reference)
                    except Failure as failure:
                        # The kubelet, too, then does without: a public registry needs none.
                        run.refusals[key[1]] = failure
                        if failure.passing:
                            continue
                        run.answers[key] = []
                found = pick_credentials(run.answers[key], reference)
                if found:
                    run.secrets = run.secrets | {*found[1:], basic(found)} - {''}
                    return found


def basic(user):
    return base64.b64encode(':'.join(user).encode()).decode()


def ask_plugin(run, provider, reference):
    question = dict(kind='CredentialProviderRequest', apiVersion=provider['apiVersion'], image=reference)
    code, out, err = call(run, [os.path.join(run.plugins, provider['name']), *(provider.get('args') or [])],
                          json.dumps(question).encode(),
                          environment=[(one['name'], one['value']) for one in provider.get('env') or []])
    if code:
        raise Failure(f'the credential provider {provider["name"]} failed: {err.strip()[-300:]}')
    return json.loads(out).get('auth') or {}


# ---- What ECR and other registries say ----

def describe_images(run, repository, *selection):
    """ECR's details of the images of a repository."""
    host, _, name = repository.partition('/')
    account, region = ECR_HOST.fullmatch(host).groups()
    command = ['aws', 'ecr', 'describe-images', '--output', 'json', '--region', region, '--registry-id', account,
               '--repository-name', name, *selection]
    # In UTC the times sort as text.
    code, out, err = call(run, command, seconds=300, environment=[('TZ', 'UTC')])
    if 'AccessDenied' in err:
        err = 'allow ecr:DescribeImages on this repository to the role of this node: ' + err
    if code:
        raise Failure(err.strip())
    return json.loads(out)['imageDetails']


def request(url, method='GET', authorization=None, accept='*/*'):
    """(headers, body) of a registry's answer; the challenge when it wants to know who asks."""
    message = urllib.request.Request(url, method=method, headers=dict(Accept=accept))
    if authorization:
        message.add_unredirected_header('Authorization', authorization)
    try:
        with urllib.request.urlopen(message, timeout=10) as answer:
            return answer.headers, answer.read(1 << 24)
    except urllib.error.HTTPError as error:
        if error.code != 401 or authorization is not None:
            raise
        return error.headers, None


def manifest(run, image, selector, method='GET'):
    """The registry's (headers, manifest), with basic or token authentication."""
    host = 'registry-1.docker.io' if image.host == 'docker.io' else image.host
    scheme = 'http' if re.match(r'(localhost|127\.[\d.]+)(:|$)', host) else 'https'
    ask = [f'{scheme}://{host}/v2/{image.path}/manifests/{selector}', method]
    accept = ', '.join('application/vnd.' + kind for kind in (
        'oci.image.index.v1+json', 'oci.image.manifest.v1+json', 'docker.distribution.manifest.list.v2+json',
        'docker.distribution.manifest.v2+json'))
    user = credentials(run, image.reference)
    authorization = user and 'Basic ' + basic(user)
    headers, body = request(*ask, None, accept)
    if body is None:
        challenge = headers.get('www-authenticate', '')
        fields = dict(re.findall('(\\w+)="([^"]*)"', challenge))
        if challenge.lower().startswith('bearer') and fields['realm'].startswith(scheme + ':'):
            query = urllib.parse.urlencode([(key, fields[key]) for key in ('service', 'scope') if key in fields])
            answer = json.loads(request(fields['realm'] + '?' + query, 'GET', authorization or '')[1])
            token = answer.get('token') or answer['access_token']
            run.secrets = run.secrets | {token}
            authorization = 'Bearer ' + token
        headers, body = request(*ask, authorization or '', accept)
    return headers, json.loads(body or '{}')


def ask_registry(run, image):
    """The current digest of a tag, and the size for this node's architecture."""
    if image.tag:
        # Unlike a GET, this does not count against a registry's pull limit.
        image.digest = manifest(run, image, image.tag, 'HEAD')[0]['docker-content-digest']
    if not image.current():
        content = manifest(run, image, image.digest)[1]
        machine = os.uname().machine.replace('x86_64', 'amd64').replace('aarch64', 'arm64')
        for entry in content.get('manifests', []):
            if entry['platform']['architecture'] == machine:
                content = manifest(run, image, entry['digest'])[1]
                break
        image.size = sum(layer['size'] for layer in content['layers'])


def look_up(run, image):
    """Digest and size of an image that was named by hand or by an event."""
    try:
        if ECR_HOST.fullmatch(image.host):
            selector = 'imageTag=' + image.tag if image.tag else 'imageDigest=' + image.digest
            detail = persist(run, lambda: describe_images(run, image.repository, '--image-ids', selector))[0]
            image.learn(detail)
            if not is_container_image(detail):
                image.gone = NO_IMAGE
        else:
            ask_registry(run, image)
    except Exception as error:  # whatever it is, the pull itself will tell
        if 'NotFoundException' in str(error):
            # A pull-through cache still fetches it when it is pulled.
            image.gone = 'it is not in ECR (any more)'


# ---- Step 2: the wanted list ----

NO_IMAGE = 'it is not a container image'


class Image:
    """One wanted reference and what is known of it."""

    def __init__(self, reference, source, repeat=False):
        self.reference, self.source, self.repeat = reference, source, repeat
        self.host, self.path, self.tag, self.digest = FIXED.fullmatch(reference).groups()
        self.repository = self.host + '/' + self.path
        self.there, self.size, self.gone, self.stopped = None, 0, '', False

    def learn(self, detail):
        self.digest, self.size = detail['imageDigest'], detail.get('imageSizeInBytes', 0)

    def by_digest(self):
        return f'{self.repository}@{self.digest}'

    def current(self):
        return self.there and (not self.tag or self.by_digest() in self.there[0])


def list_wanted(run):
    """The images of the words, in their order, with digest and size where these can be had."""
    images = {}

    def add(reference, repeat=False):
        source = 'fixed' if reference in run.words else 'newest'
        return images.setdefault(reference, Image(reference, source, repeat))

    def examine(image):
        for detail in listings.get(image.repository, []):
            if image.tag in detail.get('imageTags', []) and is_container_image(detail):
                image.learn(detail)
        image.there = image_status(run, image.reference)
        if not image.current() and not image.size:
            look_up(run, image)

    with ThreadPoolExecutor(4) as pool:
        words = arrivals(run.words, run.pushed) if run.pushed else run.words
        names = list({name: 0 for one in selections(words) for name in one.repositories})
        listings = dict(zip(names, pool.map(lambda name: listing(run, name), names)))
        for word in words:
            if FIXED.fullmatch(word):
                add(word)
            for one in selections([word]):
                for name in one.repositories:
                    for _, tags in one.newest(listings[name]):
                        for tag in tags:
                            add(f'{name}:{tag}', tag != tags[0])
        list(pool.map(examine, images.values()))
    return list(images.values())


def listing(run, repository):
    try:
        return persist(run, lambda: describe_images(run, repository, '--filter', 'tagStatus=TAGGED'))
    except Failure as failure:
        gone = 'RepositoryNotFound' in str(failure)
        run.report(repository, 'skipped' if gone else 'failed', 'the repository does not exist' if gone else failure)
        if not gone:
            run.unlisted.add(repository)
        return []


# ---- Step 3: pull what is not there ----

def bring(run):
    """All images, a few side by side, the first of the list first."""
    with ThreadPoolExecutor(run.parallel) as pool:
        # A second tag of an image costs nothing once the first is there.
        for image in sorted(run.images, key=lambda one: one.repeat):
            if image.there and (image.gone or image.current()):
                settle(run, image, 'present', image.gone)
            elif image.gone == NO_IMAGE:
                run.report(image.reference, 'skipped', image.gone)
            else:
                pool.submit(pull, run, image, admit(run, image))


def disk(run, need=0):
    """(whether the image filesystem would be too full, as the kubelet reckons it, in words)."""
    figures = os.statvfs(run.mount)
    used, total = figures.f_blocks - figures.f_bavail, figures.f_blocks
    more = f'the pull needs about {need / 2 ** 30:.2f} GiB more, ' if need else ''
    return ((used + need / figures.f_frsize) * 100 > run.max_usage * total,
            f'the disk is {used * 100 / total:.1f}% full of {total * figures.f_frsize / 2 ** 30:.1f} GiB, '
            f'{more}MaxDiskUsage is {run.max_usage}%')


def admit(run, image):
    """Waits for a free place; the failure when there is no room even with no other pull under way."""
    there = image.digest and run.left() > 0 and image_status(run, image.by_digest())
    image.need = 0 if there else image.size * UNPACKED
    with run.changed:
        while run.left() > 0:
            full, words = disk(run, image.need + sum(one.need for one in run.flights))
            if full and not there and not run.flights:
                return Failure(words, outcome='refused')
            if (there or not full) and len(run.flights) < run.parallel and not any(
                    image.digest and one.digest == image.digest for one in run.flights):
                run.flights.append(image)
                return None
            run.changed.wait(1)
    return Failure('not begun')


def too_full(run, image):
    """Why this pull stops: an estimate was too low, and it is the last that began and still goes on."""
    full, words = disk(run)
    with run.changed:
        if full and [one for one in run.flights if not one.stopped][-1] is image:
            image.stopped = True
            return 'stopped half-way: ' + words
    return None


def pull(run, image, problem):
    started = time.monotonic()
    before, unsure = image.there, image.there and not image.digest
    try:
        if problem:
            raise problem
        persist(run, lambda: pull_once(run, image), 1 if unsure else 7)
        image.there = image_status(run, image.reference)
        if not image.there:
            raise Failure('pulled, but the CRI does not list it')
        outcome = 'present' if before == image.there else 'pulled'
        settle(run, image, outcome, seconds=round(time.monotonic() - started, 1))
    except Exception as error:
        outcome = getattr(error, 'outcome', 'failed')
        words = str(error) if isinstance(error, Failure) else repr(error)
        if unsure and (getattr(error, 'passing', False) or outcome == 'refused' or 'not found' in words):
            settle(run, image, 'present', f'cannot ask whether it has moved: {words}')
        elif image.gone and 'not found' in words:
            run.report(image.reference, 'skipped', image.gone)
        else:
            run.report(image.reference, outcome, words + ' (TimeoutSeconds is over)' * (run.left() < 0))
            if outcome == 'failed':
                run.unlisted.add(image.repository)  # what the node has of it stays until the new image is there
        if outcome == 'refused' and not problem:
            drop_partial(run)
    finally:
        with run.changed:
            if not problem:
                run.flights.remove(image)
            run.changed.notify_all()


def pull_once(run, image):
    user = credentials(run, image.reference)
    fields = [(1, [(1, image.reference)])] + ([(2, [(1, user[0]), (2, user[1])])] if user else [])
    try:
        cri(run, 'PullImage', fields, seconds=run.left(), watch=lambda: too_full(run, image))
    except Failure as failure:
        refusal = None if user else run.refusals.get(image.host)
        if refusal and failure.outcome == 'failed':
            failure = Failure(f'{failure}; {refusal}')
            failure.passing = refusal.passing
        raise failure from None


def drop_partial(run):
    """containerd lets go of a cancelled pull, but frees the disk only when it next collects garbage: now."""
    time.sleep(0.5)
    lease = [(1, f'cdk-eks-image-prefetcher-{time.time()}')]
    grpc(run, run.containerd, LEASES + 'Create', lease)
    grpc(run, run.containerd, LEASES + 'Delete', [*lease, (2, 1)])


def settle(run, image, outcome, reason='', **facts):
    """The image is there: pin it, say so."""
    try:
        mark(run, image, outcome == 'pulled')
    except Failure as failure:
        reason = f'{reason} not pinned: {failure}'
    run.missing.discard(image)
    digests = [name.partition('@')[2] for name in image.there[0]]
    if digests:  # an image that was loaded without a registry has none
        facts['digest'] = image.digest if image.digest in digests else digests[0]
    run.report(image.reference, outcome, reason, bytes=image.there[1], **facts)


# ---- Pins: labels on containerd's own records ----

def list_records(run):
    """name -> (digest, labels, descriptor) of containerd's image records."""
    records = {}
    for record in map(decode, grpc(run, run.containerd, IMAGES + 'List')[1]):
        labels = dict(texts(entry, 1) + (texts(entry, 2) or ['']) for entry in map(decode, record[2]))
        records[texts(record, 1)[0]] = texts(decode(record[3][0]), 2)[0], labels, record[3][0]
    return records


def marks(labels):
    """What each owner says of an image."""
    return [value for key, value in labels.items() if key.startswith(OWNER)]


def pinned(labels):
    return any(value.endswith('pinned') for value in marks(labels))


def relabel(labels, owner, mark):
    """The labels after this owner has marked an image, or let go of it (None)."""
    after = dict(labels)
    after.pop(OWNER + owner, None)
    if PIN in labels and not pinned(labels):
        return after  # pinned by somebody else: left alone
    if mark:
        after[OWNER + owner] = mark
    after.pop(PIN, None)
    if pinned(after):
        after[PIN] = 'pinned'
    return after


def write_labels(run, name, record, after):
    _, before, descriptor = record
    keys = [key for key in {*before, *after} if before.get(key) != after.get(key)]
    if keys:
        grpc(run, run.containerd, IMAGES + 'Update', [
            # containerd (2.2) crashes when the descriptor is left out, although the mask does not name it.
            (1, [(1, name), (3, descriptor)] + [(2, [(1, key), (2, after[key])]) for key in keys if key in after]),
            (2, [(1, 'labels.' + key) for key in keys])])


def names_of(records, image):
    """The records of a wanted image: by tag and by digest."""
    digest = records[image.reference][0] if image.reference in records else image.digest
    return {image.reference, f'{image.repository}@{digest}'} & set(records)


def mark(run, image, pulled):
    records = list_records(run) if pulled else run.records
    for name in names_of(records, image):
        labels = records[name][1]
        after = relabel(labels, run.owner, image.source + '+pinned' * run.pin)
        # What somebody loaded without a registry has its tag already, but no digest.
        loaded = run.records.get(image.reference, [''])[0] == records[name][0]
        if pulled and '@' in name and name not in run.records and not loaded:
            after[PULLED] = 'true'
        write_labels(run, name, records[name], after)


# ---- Step 4: let go of what is no longer wanted ----

def release(run):
    records = list_records(run)
    wanted_names = {name for image in run.images for name in names_of(records, image)}
    named = {name for one in selections(run.words) for name in one.repositories}
    said = set()
    for name, record in sorted(records.items()):
        digest, labels, _ = record
        repository = repository_of(name)
        mine = labels.get(OWNER + run.owner)
        if not mine or mine == RELEASED or name in wanted_names or repository in run.unlisted:
            continue
        removed_later = PULLED in records.get(f'{repository}@{digest}', (0, ()))[1] and (
            mine.startswith('newest') or repository in named)
        after = relabel(labels, run.owner, RELEASED if removed_later else None)
        write_labels(run, name, record, after)
        if PIN in labels and PIN not in after and digest not in said:
            said.add(digest)
            run.report(name, 'unpinned', digest=digest)
    clean_up(run, list_records(run), wanted_names)


def clean_up(run, records, wanted_names):
    """Removes what was pulled for a newest word, is wanted by nobody any more and serves no container."""
    used = set()
    for container in map(decode, cri(run, 'ListContainers')[1]):
        used.update(texts(container, 5) + texts(container, 10) + texts(decode(b''.join(container[4])), 1))
    for image in map(decode, cri(run, 'ListImages')[1]):
        names = texts(image, 1) + texts(image, 2) + texts(image, 3)
        if removable(run, names, records) and not used & set(names) and not wanted_names & set(names):
            cri(run, 'RemoveImage', [(1, [(1, names[0])])])
            run.report(names[1], 'removed', digest=names[-1].partition('@')[2], bytes=sum(image[4]))


def removable(run, names, records):
    """Removing an image takes all its names, so all of them have to be ours and released."""
    labels = dict((name, records[name][1]) for name in names if name in records)
    return (all(set(marks(one)) <= {RELEASED} and PIN not in one for one in labels.values())
            and all(PULLED in one and marks(one) for name, one in labels.items() if '@' in name)
            and any(OWNER + run.owner in one for one in labels.values())
            and not any(repository_of(name) in run.unlisted for name in names))


def repository_of(name):
    return re.sub('@.*|:[^/]*$', '', name)


# ---- The steps ----

def prefetch(run):
    if run.pushed and not wanted(run.words, run.pushed):
        run.report(run.pushed, 'skipped', 'pushed, but not among the wanted images')
        return
    wait_for_node(run)
    if run.moment == 'reconcile' and os.path.exists(STATE + '/joined'):
        time.sleep(random.uniform(0, min(int(run.start_delay), run.left() / 10)))
    with lock(run):
        run.records = list_records(run)
        run.images = list_wanted(run)
        run.missing = {image for image in run.images if image.source == 'fixed' or not image.gone}
        bring(run)
        if run.moment == 'reconcile' and run.left() > 0:
            release(run)
            with open(STATE + '/joined', 'w'):
                pass


def write_gate_report(facts):
    with open(GATE_REPORT, 'w') as file:
        json.dump(facts, file)


def main(arguments):
    run = Run('gate' if arguments[:1] == ['gate'] else 'reconcile')
    gate = dict(startedAt=time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime()), outcome='interrupted')
    code = 2
    try:
        with os.fdopen(3) as settings:
            run.read_parameters(os.environ, settings.read(), ''.join(arguments[1:2]))
        if os.path.exists('/etc/bottlerocket-release'):
            raise ValueError('this node runs Bottlerocket, whose images cannot be reached from here')
        code = 1
        os.makedirs(STATE, 0o700, exist_ok=True)
        if run.moment == 'gate':
            write_gate_report(gate)
        prefetch(run)
        code = 1 if run.missing or run.counts['failed'] else 0
    except Exception as error:
        run.error = str(error) or repr(error)
    summary = run.summary()
    try:
        if run.moment == 'gate':
            write_gate_report(dict(gate, outcome='incomplete' if code else 'complete', **summary))
        elif os.path.exists(GATE_REPORT):
            with open(GATE_REPORT) as file:
                summary['gate'] = json.load(file)
            os.remove(GATE_REPORT)
    except (OSError, ValueError):
        pass  # a report of the boot is not worth failing for
    run.say(dict(summary=summary))
    return code


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
