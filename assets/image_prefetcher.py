"""Brings container images onto an EKS node before pods need them, exactly as the node's own kubelet would.

Runs as root with the standard library of Python 3.9, and curl. Arguments `gate SECONDS`: at boot, before the kubelet runs.
Exit code: 0 every wanted image is there, 1 some is not, 2 wrong settings or an unsupported node.

In brackets: the functions that do it; nothing else here can. With ten minutes, read those.
Reads: settings (main), SSM_* parameters; the kubelet's arguments and environment (find_kubelet, kubelet_processes, is_kubelet,
  proc_words); files that nobody but root can have written (config_files, read_trusted); the instance's metadata (Aws.metadata).
Runs (run_command, end_with_parent): curl (grpc), the kubelet's credential plugins (Credentials.run), systemctl
  (systemctl_show).
Talks to: containerd and the kubelet's image endpoint (wait_for_node, Images.cri, Images.call), which pulls (pull_as_one_of);
  ECR and CloudWatch Logs (Aws.call); registries: does a tag still mean the same image? (current_digest); the last three by
  HTTP (Http)
Writes: one JSON line per image and a summary, to stdout and a log group, failures to stderr, too (Report); labels and further
  names of containerd's image records (write_labels, add_name); the folder STATE (main, lock, write_file, Memory.set).
Deletes: images that it brought, by the rule in `may_go` (release), or that cannot run here (reject); STATE/gate.json once it
  is reported (finish_report, hand_over_gate); downloads of a pull that it stopped (drop_partial).

Callees come first.
"""
from __future__ import annotations

import base64
import collections
import contextlib
import ctypes
import fcntl
import fnmatch
import json
import os
import random
import re
import shlex
import signal
import stat
import subprocess
import sys
import threading
import time
import urllib.parse
from functools import partial
from typing import TYPE_CHECKING, Any, Callable, Iterable, Iterator, Mapping, NamedTuple, TypeVar, Union

if TYPE_CHECKING:
    import http.client
    import ssl

T = TypeVar('T')
Json = Any  # what somebody else wrote: every use of it expects anything
STATE = '/run/cdk-eks-image-prefetcher'
KUBELET_ENVIRONMENT = '/etc/eks/kubelet/environment'
PLUGINS = '/etc/eks/image-credential-provider'

# ---- Parameters: settings are lines of the document, the others are given to each run ----

LABEL = '[a-z0-9]+(?:-+[a-z0-9]+)*'
HOST = r'((?:localhost|%s(?:\.%s)+|%s(?=:))(?::\d{1,5})?)' % (LABEL, LABEL, LABEL)
PART = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*'
LONGEST_PATH = 255  # of what containerd takes
PATH = '(?![a-z0-9._/-]{%d})%s(?:/%s)*' % (LONGEST_PATH + 1, PART, PART)
TAG = r':(\w[\w.-]{0,127})'
FIXED = re.compile(HOST + '/(%s)(?:%s|@(sha256:[0-9a-f]{64}))' % (PATH, TAG), re.ASCII)
NEWEST = re.compile(HOST + r'/(%s(?:,%s)*)\?newest=([1-9]\d{0,3})((?:&(?:in|ex)clude=[\w.*-]{1,256})*)' % (PATH, PATH),
                    re.ASCII)
# Requests to ECR carry a session token, so only AWS's own names count. https://docs.aws.amazon.com/general/latest/gr/ecr.html
ECR_DOMAINS = ('amazonaws.com', 'on.aws', 'amazonaws.com.cn', 'on.amazonwebservices.com.cn', 'amazonaws.eu', 'c2s.ic.gov',
               'sc2s.sgov.gov', 'cloud.adc-e.uk', 'csp.hci.ic.gov')
REGION = r'[a-z]{2,4}(?:-[a-z]+)+-\d{1,2}'
ECR_HOST = re.compile(r'(\d{12})\.dkr[.-]ecr(-fips)?\.(%s)\.(%s)' % (REGION, '|'.join(map(re.escape, ECR_DOMAINS))), re.ASCII)
REVISION = '([0-9a-f]{16})?'
SETTINGS = dict(Owner=r'[\w.-]{1,64}', Revision=REVISION, ParallelPulls='[1-9]|1[0-6]', PinImages='true|false',
                MaxDiskUsage=r'[1-9]\d?|100', TimeoutSeconds=r'[1-9]\d{1,5}', LogGroup=r'[\w./#-]{0,512}', Region=f'({REGION})?')
RUN_TIME = dict(Pushed='(%s/%s%s)?' % (ECR_HOST.pattern, PATH, TAG), PushedAt=r'(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)?',
                Revision=REVISION, StartDelaySeconds=r'(\d|[1-9]\d|1[01]\d|120)?')


class Reference(NamedTuple):
    """HOST/path:tag or HOST/path@digest, as containerd spells it."""

    host: str
    path: str
    tag: str
    digest: str

    @property
    def repository(self) -> str:
        return f'{self.host}/{self.path}'

    @property
    def place(self) -> tuple[str, ...]:
        """The repository, whichever of ECR's host names for one registry it uses."""
        registry = ECR_HOST.fullmatch(self.host)
        return (*registry.group(1, 3), self.path) if registry else (self.host, self.path)

    def __str__(self) -> str:
        return self.repository + (f':{self.tag}' if self.tag else f'@{self.digest}')


def canonical(host: str, path: str) -> tuple[str, str]:
    """https://github.com/distribution/reference/blob/v0.6.0/normalize.go"""
    host = 'docker.io' if host == 'index.docker.io' else host
    return host, f'library/{path}' if host == 'docker.io' and '/' not in path else path


def parse_reference(text: str) -> Reference | None:
    match = FIXED.fullmatch(text)
    if not match:
        return None
    reference = Reference(*canonical(match[1], match[2]), match[3] or '', match[4] or '')
    return reference if len(reference.path) <= LONGEST_PATH else None


class Selection(NamedTuple):
    """HOST/path,path?newest=N&include=PATTERN&exclude=PATTERN"""

    host: str
    paths: tuple[str, ...]
    keep: int
    include: tuple[str, ...]
    exclude: tuple[str, ...]

    def takes(self, tag: str) -> bool:
        return any(fnmatch.fnmatchcase(tag, one) for one in self.include) and not any(
            fnmatch.fnmatchcase(tag, one) for one in self.exclude)


Word = Union[Reference, Selection]


def parse_word(text: str) -> Word:
    match, fixed = NEWEST.fullmatch(text), parse_reference(text)
    if match and ECR_HOST.fullmatch(match[1]):
        return Selection(match[1], tuple(match[2].split(',')), int(match[3]),
                         tuple(re.findall('&include=([^&]+)', match[4])) or ('*',),
                         # Tags of signatures and attestations.
                         (*re.findall('&exclude=([^&]+)', match[4]), 'sha256-*'))
    if not fixed:
        raise ValueError(f'Image is {text[:300]!r}, allowed are HOST/path:tag, HOST/path@sha256:digest and, of a private '
                         'ECR host, HOST/repository?newest=N&include=PATTERN&exclude=PATTERN')
    return fixed


def arrivals(words: Iterable[Word], pushed: str) -> list[Reference]:
    """The wanted images that a pushed HOST/repository:tag is."""
    one = parse_reference(pushed)
    assert one, pushed
    newest = any(isinstance(word, Selection) and word.host == one.host and one.path in word.paths and word.takes(one.tag)
                 for word in words)
    return [one] * newest + [word for word in words if isinstance(word, Reference) and word != one * newest
                             and word.tag == one.tag and word.place == one.place]


class Parameters(NamedTuple):
    moment: str
    owner: str
    revision: str
    stale: bool
    words: tuple[Word, ...]
    pushed: str
    pushed_at: str
    start_delay: int
    parallel: int
    pin: bool
    max_usage: int
    seconds: int
    log_group: str
    region: str

    def wanted_now(self) -> list[Word]:
        """What this run is about."""
        return [*arrivals(self.words, self.pushed)] if self.pushed else [*self.words]


def parse_parameters(settings: str, environment: Mapping[str, str], arguments: list[str]) -> Parameters:
    lines = [line.partition('=')[::2] for line in settings.removesuffix('\n').split('\n')]
    given = dict(lines)
    told = dict((name, environment.get('SSM_' + name, '')) for name in RUN_TIME)
    for grammar, values in (SETTINGS, given), (RUN_TIME, told):
        for name, pattern in grammar.items():
            if not re.fullmatch(pattern, values.setdefault(name, ''), re.ASCII):
                raise ValueError(f'{name} is {values[name][:60]!r}, allowed is what matches {pattern}')
    for name in given:
        if name not in SETTINGS and name != 'Image':
            raise ValueError(f'a setting is called {name[:200]!r}, allowed are Image, {", ".join(SETTINGS)}')
    gate = arguments[:1] == ['gate']
    # The boot gate may be shorter than anything that Systems Manager runs.
    seconds, shortest = (arguments[1:] or ['300'])[0] if gate else given['TimeoutSeconds'], 10 if gate else 60
    if not re.fullmatch(r'\d{1,6}', seconds, re.ASCII) or not shortest <= int(seconds) <= 172800:
        raise ValueError(f'TimeoutSeconds is {seconds[:200]!r}, allowed is {shortest} to 172800')
    return Parameters(
        'gate' if gate else 'push' if told['Pushed'] else 'reconcile', given['Owner'], given['Revision'],
        told['Revision'] not in ('', given['Revision']),
        tuple(dict.fromkeys(parse_word(value) for name, value in lines if name == 'Image')),
        '' if gate else told['Pushed'], told['PushedAt'], int(told['StartDelaySeconds'] or 0), int(given['ParallelPulls']),
        given['PinImages'] == 'true', int(given['MaxDiskUsage']), int(seconds), given['LogGroup'], given['Region'])


# ---- What goes wrong, and until when to try ----

# Whatever is not known to last is tried again. Words of references and addresses don't count, nor is the metadata
# service believed, which knows no role yet while an instance starts. All of these are words of registries, runtimes and APIs.
LASTING = re.compile(r'not ?found|denied|unauthori[sz]ed|forbidden|\b40[01345]\b|no match for platform|no space left'
                     '|Invalid(Param|Signa)|does not exist|no basic auth|unsupported|unrecognized|(un|not )implemented', re.I)
LASTING_CODES = 3, 5, 7, 12, 16  # https://grpc.io/docs/guides/status-codes/
# Plugins say the status of an API that throttles, too: 400. containerd may lose what it unpacks.
MAY_PASS = re.compile(r'imds|metadata|locate credentials|throttl|rate exceeded|too ?many ?requests'
                      r'|\b(parent snapshot|content digest) .{,40}not (exist|found)|\blease does not exist', re.I)
UNAUTHORIZED = re.compile(r'denied|unauthori[sz]ed|forbidden|\b40[13]\b|\btoken\b.*\bexpired\b', re.I)
STOPPED = threading.Event()  # set by SIGTERM


class Failure(Exception):
    """What went wrong, in words; `transient` when it makes sense to try again."""

    def __init__(self, text: str, code: int = 0, outcome: str = 'failed', transient: bool | None = None) -> None:
        super().__init__(text)
        self.outcome = outcome
        words = re.sub(r'\S*/\S*|\w{32,}', '', text)
        self.unauthorized = bool(UNAUTHORIZED.search(words))
        self.transient = transient if transient is not None else outcome == 'failed' and (
            bool(MAY_PASS.search(words)) or not LASTING.search(words) and code not in LASTING_CODES)


class Deadline:
    def __init__(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds

    def seconds_left(self) -> float:
        return 0 if STOPPED.is_set() else max(0, self.end - time.monotonic())

    def why_over(self) -> str:
        return '' if self.seconds_left() else 'stopped by SIGTERM' if STOPPED.is_set() else 'TimeoutSeconds is over'


def backoff(attempt: int) -> float:
    """Seconds; jitter keeps a thousand nodes from asking again in step."""
    return float(min(30, 2 ** attempt)) * random.uniform(0.5, 1.5)


def retry(action: Callable[[], T], deadline: Deadline, attempts: int = 5) -> T:
    for attempt in range(attempts):
        try:
            return action()
        except Failure as failure:
            pause = backoff(attempt)
            if not failure.transient or attempt + 1 == attempts or deadline.seconds_left() < pause:
                raise
            STOPPED.wait(pause)
    raise AssertionError


# ---- The report ----

OUTCOMES = 'present', 'pulled', 'failed', 'refused', 'skipped', 'unpinned', 'removed'
STDOUT = 23_999  # what Systems Manager keeps of it
STDERR = 510  # what State Manager shows of it
LOG_BATCH = 1_000_000  # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html


class Report:
    """The only one that prints."""

    def __init__(self, moment: str = '', owner: str = '') -> None:
        self.moment, self.owner = moment, owner
        self.started = time.monotonic()
        self.lock = threading.Lock()  # guards what follows
        self.secrets: set[str] = set()
        self.counts: collections.Counter[str] = collections.Counter()
        self.bytes = self.unsaid = 0
        self.room, self.log_room = STDOUT - 1500, LOG_BATCH  # the summary has its own
        self.events: list[tuple[float, str]] = []
        self.problems: list[str] = []

    def add_secret(self, *secrets: str) -> None:
        with self.lock:
            self.secrets.update(filter(None, secrets))

    def scrub(self, text: object, limit: int = 500) -> str:
        words = str(text)
        for secret in sorted(self.secrets, key=len, reverse=True):
            words = words.replace(secret, '***')
        words = re.sub('[^ -~]+', ' ', words)
        # What went wrong stands last, behind names and addresses.
        return words if len(words) <= limit else words[:limit // 3] + '...' + words[limit // 3 + 3 - limit:]

    def line(self, image: str, outcome: str, reason: object = '', **facts: Json) -> None:
        with self.lock:
            line = dict(moment=self.moment, owner=self.owner, image=image, outcome=outcome, **facts)
            if reason:
                # The more there is to say, the shorter.
                line['reason'] = self.scrub(reason, max(80, min(500, self.room // 60)))
            self.counts[outcome] += 1
            self.bytes += facts.get('bytes', 0) if outcome == 'pulled' else 0
            if outcome in ('failed', 'refused'):
                self.problems.append(f'{image} {outcome}: {line.get("reason")}')
            text = json.dumps(line, separators=(',', ':'))
            self.log(text)
            # What is simply there gives way first.
            if len(text) < self.room - (9000 if outcome == 'present' else 0):
                self.room -= len(text) + 1
                print(text, flush=True)
            else:
                self.unsaid += 1

    def log(self, text: str) -> None:
        if self.log_room > len(text) + 26:
            self.log_room -= len(text) + 26
            self.events.append((time.time(), text))

    def summary(self, **facts: Json) -> None:
        with self.lock:
            counted = dict((outcome, self.counts[outcome]) for outcome in OUTCOMES)
            shown = dict(moment=self.moment, owner=self.owner, **facts, **counted, bytes=self.bytes,
                         seconds=round(time.monotonic() - self.started, 2))
            error = shown.pop('error', '')
            if error:
                shown['error'] = self.scrub(error)
                self.problems.insert(0, shown['error'])
            if self.unsaid:
                shown['unsaid'] = self.unsaid
            text = json.dumps(dict(summary=shown), separators=(',', ':'))
            self.log_room = LOG_BATCH
            self.log(text)
            print(text, flush=True)
            if self.problems:
                said = f'{len(self.problems)} problems, the first: {self.scrub(self.problems[0], STDERR - 50)}'
                print(said[:STDERR - 1], file=sys.stderr, flush=True)

    def earlier(self, summary: dict[str, Json]) -> None:
        """Another run's, before all of this one."""
        text = json.dumps(dict(summary=summary))
        print(text, flush=True)
        self.events.insert(0, (self.events[0][0], text))

    def unreported(self, problem: Exception) -> None:
        print(json.dumps(dict(unreported=self.scrub(problem, 300))), flush=True)


# ---- Programs ----

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)
CHILDREN: set[subprocess.Popen[bytes]] = set()
Watch = Callable[[], float]  # raises why to stop; else when it wants to be asked again, in seconds


def end_with_parent() -> None:
    """In the child: whatever ends this program, KILL included, ends what it runs, by prctl(2)."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def run_command(command: list[str], stdin: bytes = b'', seconds: float = 60, watch: Watch | None = None,
                environment: Mapping[str, str] | None = None, what: str = '') -> tuple[int, bytes, str]:
    """Runs a program until it ends, its time is over or watch() raises: (exit code, stdout, stderr).

    When it does not end, the reason names what was asked of whom.
    """
    end, data = time.monotonic() + seconds, stdin
    try:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=environment, preexec_fn=end_with_parent)
    except (OSError, ValueError) as error:
        raise Failure(f'cannot run {command[0]}: {getattr(error, "strerror", error)}', transient=False) from None
    with process:
        CHILDREN.add(process)
        try:
            while True:
                pause = watch() if watch else seconds
                left = end - time.monotonic()
                if left <= 0 or STOPPED.is_set():
                    ended = 'was stopped' if STOPPED.is_set() else f'gave no answer within {round(seconds, 1):g} s'
                    raise Failure(f'{what or command[0]} {ended}', transient=True)
                try:
                    out, err = process.communicate(data, min(pause, left))
                    if process.returncode == -signal.SIGKILL and STOPPED.is_set():
                        continue
                    return process.returncode, out, err.decode(errors='replace')
                except subprocess.TimeoutExpired:
                    data = b''
        finally:
            CHILDREN.discard(process)
            process.kill()


# ---- gRPC, by curl ----

# A message: its fields with their numbers and, where they are messages, the names of these.
# https://github.com/kubernetes/cri-api/blob/v0.35.0/pkg/apis/runtime/v1/api.proto
# https://github.com/containerd/containerd/tree/v2.2.4/api/services (images, containers, content, leases; all v1)
SCHEMA: dict[str, dict[str, tuple[int, str]]] = {}
for _line in '''
Empty
Entry key=1 value=2
ImageSpec image=1
AuthConfig username=1 password=2
PullImageRequest image=1:ImageSpec auth=2:AuthConfig
ImageRequest image=1:ImageSpec verbose=2
CriImage id=1 repo_tags=2 repo_digests=3 size=4
ImageStatusResponse image=1:CriImage info=2:Entry
ListImagesResponse images=1:CriImage
FilesystemIdentifier mountpoint=1
FilesystemUsage fs_id=2:FilesystemIdentifier
ImageFsInfoResponse image_filesystems=1:FilesystemUsage
CriContainer image=4:ImageSpec image_ref=5 image_id=10
ListContainersResponse containers=1:CriContainer
Timestamp seconds=1 nanos=2
Descriptor media_type=1 digest=2 size=3 annotations=5:Entry
Record name=1 labels=2:Entry target=3:Descriptor updated_at=8:Timestamp
NameRequest name=1
RecordsResponse images=1:Record
FieldMask paths=1
RecordRequest image=1:Record update_mask=2:FieldMask
RecordResponse image=1:Record
Container image=3
ContainersResponse containers=1:Container
Ingest started_at=1:Timestamp ref=3
IngestsResponse statuses=1:Ingest
LeaseRequest id=1 labels=3:Entry
LeaseDelete id=1 sync=2
'''.strip().split('\n'):
    _name, _, _fields = _line.partition(' ')
    SCHEMA[_name] = dict((name, (int(number), inner)) for name, number, inner in re.findall(r'(\w+)=(\d+):?(\w*)', _fields))
Message = Mapping[str, Any]
NUMBERS = 'size', 'seconds', 'nanos', 'verbose', 'sync'  # all others are texts or messages


def varint(number: int) -> bytes:
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + varint(number >> 7)


def encode(kind: str, message: Message) -> bytes:
    """https://protobuf.dev/programming-guides/encoding/"""
    out = b''
    for name, value in message.items():
        number, inner = SCHEMA[kind][name]
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, int):
                out += varint(number << 3) + varint(one)
            else:
                data = encode(inner, one) if inner else str(one).encode()
                out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def decode(kind: str, data: bytes) -> Message:
    """Each field as a list of its values: numbers, texts or messages."""
    names = dict((number, (name, inner)) for name, (number, inner) in SCHEMA[kind].items())
    message: dict[str, list[Any]] = collections.defaultdict(list)
    at = 0

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            at += 1
            value |= (data[at - 1] & 127) << shift
            shift += 7
            if data[at - 1] < 128:
                return value

    while at < len(data):
        key = number()
        name, inner = names.get(key >> 3, ('', ''))
        if name and key & 7 != 2 * (name not in NUMBERS):
            raise IndexError
        if key & 7 == 0:
            value: Any = number()
        else:
            size = number() if key & 7 == 2 else 8 if key & 7 == 1 else 4
            part, at = data[at:at + size], at + size
            value = decode(inner, part) if inner else part.decode(errors='replace')
        if name:
            message[name].append(value)
    return message


def last_words(text: str) -> Any:
    """None in part: half a secret would not be known as one."""
    return re.findall(r'(?s)(?<!\S).{0,300}$|$', text.strip())[0]


def first(values: list[T], default: T) -> T:
    return values[0] if values else default


def entries(values: Mapping[str, str]) -> list[Message]:
    return [dict(key=key, value=value) for key, value in values.items()]


def from_entries(values: list[Message]) -> dict[str, str]:
    return dict((first(one['key'], ''), first(one['value'], '')) for one in values)


def in_words(endpoint: str, method: str, message: Message) -> str:
    """A pull waits for a registry, anything else for the endpoint itself."""
    name = method.rpartition('/')[2]
    return f'the pull of {message["image"]["image"]}' if name == 'PullImage' else f'{endpoint}, asked for {name},'


def grpc(endpoint: str, method: str, request: str, message: Message, answer: str, seconds: float,
         watch: Watch | None = None) -> Message:
    """One call; the request, which may carry credentials, goes by stdin only."""
    body = encode(request, message)
    code, out, err = run_command([
        'curl', '-q', '-sS', '--noproxy', '*', '--http2-prior-knowledge',
        '--unix-socket', endpoint.replace('unix://', ''), '--data-binary', '@-', '-D', '/dev/stderr',
        '-H', 'content-type: application/grpc', '-H', 'te: trailers', '-H', 'containerd-namespace: k8s.io',
        'http://localhost/' + method,
    ], b'\0' + len(body).to_bytes(4, 'big') + body, seconds, watch, what=in_words(endpoint, method, message))
    if code in (1, 2, 4):  # https://curl.se/libcurl/c/libcurl-errors.html
        raise Failure(f'this curl cannot speak HTTP/2: {last_words(err)}', transient=False)
    trailers = dict(re.findall(r'(?m)^(grpc-\w+): *(.*?)\r?$', err))
    status = trailers.get('grpc-status', '')
    if status != '0':
        text = trailers.get('grpc-message') or f'{endpoint} gave no answer to {method}: {last_words(err)}'
        raise Failure(urllib.parse.unquote(text, errors='replace'), int(status) if status.isdigit() else 14)
    try:
        return decode(answer, out[5:])
    except IndexError:
        raise Failure(f'{endpoint} answers nonsense to {method}') from None


# ---- The node: believed is only what root alone can have written ----

def trusted(path: str) -> str:
    """The real path, if nobody but root can change it or a folder down to it."""
    real = step = os.path.realpath(path)
    while True:
        state = os.stat(step)
        others = 0o022 if state.st_gid else 0o002  # root's own group is root
        if state.st_uid != 0 or state.st_mode & others:
            raise Failure(f'{path} is not believed: others than root can change {step}', transient=False)
        if step == os.path.dirname(step):
            return real
        step = os.path.dirname(step)


def read_trusted(path: str) -> str:
    """A file's text. Nothing is waited for, as the other end of a FIFO would be."""
    try:
        handle = os.open(trusted(path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(handle, 'rb') as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise Failure(f'{path} is no file', transient=False)
            return file.read(1 << 20).decode(errors='replace')
    except OSError as error:
        raise Failure(f'{path} cannot be read: {error.strerror}', transient=False) from None


def as_dict(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else dict()


def parse_json(text: str | bytes) -> dict[str, Json]:
    """An object; empty for anything else, or for nonsense."""
    try:
        return as_dict(json.loads(text))
    except (ValueError, RecursionError):
        return dict()


def config_files(path: str, endings: tuple[str, ...] = ('.json', '.yaml', '.yml')) -> list[str]:
    """A file, or the files of a folder in the order in which the kubelet merges them."""
    if os.path.isdir(path):
        return [os.path.join(path, name) for name in sorted(os.listdir(path)) if name.endswith(endings)]
    return [path] if os.path.lexists(path) else []


class Kubelet(NamedTuple):
    running: bool
    arguments: list[str]
    environment: dict[str, str]

    def flag(self, name: str, default: str) -> str:
        for argument, following in zip(self.arguments, [*self.arguments[1:], '']):
            if argument == '--' + name:
                default = following
            elif argument.startswith(f'--{name}='):
                default = argument.partition('=')[2]
        return default  # the last, which is the one that counts


def assignments(words: Iterable[str]) -> dict[str, str]:
    return dict((name, value) for name, equals, value in (word.partition('=') for word in words) if equals)


def unquote(value: str) -> str:
    """As systemd reads an EnvironmentFile: quotes count where a value begins with one."""
    if value[:1] not in ('"', "'"):
        return re.sub(r'\\(.)', r'\1', value)
    with contextlib.suppress(ValueError):
        value = ''.join(shlex.split(value))
    return re.sub(r'\\([$`])', r'\1', value)


def find_kubelet() -> Kubelet:
    """What systemd and nodeadm's file say of it; its process only where systemd names it, or does not know of any."""
    shown = systemctl_show()
    environment: dict[str, str] = {}
    arguments: list[str] = []
    for line in re.findall('(?m)^Environment=(.*)', shown):
        environment.update(assignments(map(unquote, re.findall(r'"(?:\\.|[^"])*"|\S+', line))))
    # Of what cannot be read the process, or defaults, must do.
    for path in re.findall(r'(?m)^EnvironmentFiles=(.*) \(ignore_errors=\w+\)', shown) or [KUBELET_ENVIRONMENT]:
        with contextlib.suppress(Failure):
            for name, value in assignments(re.sub(r'\\\r?\n', '', read_trusted(path)).split('\n')).items():
                environment[name.strip()] = unquote(value.strip())
    with contextlib.suppress(ValueError):
        arguments = shlex.split(environment.get('NODEADM_KUBELET_ARGS', ''))
    main_pid = re.search(r'(?m)^MainPID=([1-9]\d*)$', shown)
    if main_pid:
        processes = [main_pid[1]]
    else:
        processes = [] if 'LoadState=loaded' in shown else kubelet_processes()
    for pid in processes:
        words = proc_words(pid, 'cmdline')
        if words:
            return Kubelet(True, words, assignments(proc_words(pid, 'environ')) or environment)
    return Kubelet(False, arguments, environment)


def systemctl_show() -> str:
    properties = 'LoadState', 'MainPID', 'Environment', 'EnvironmentFiles'
    try:
        code, out, _ = run_command(['systemctl', 'show', 'kubelet.service', *[f'-p{one}' for one in properties]], seconds=10)
    except Failure:
        return ''
    return '' if code else out.decode(errors='replace')


def proc_words(pid: str, file: str) -> list[str]:
    try:
        with open(f'/proc/{pid}/{file}', 'rb') as opened:
            return opened.read(1 << 20).decode(errors='replace').split('\0')[:-1]
    except OSError:
        return []  # it has just ended


def kubelet_processes() -> list[str]:
    """Processes of root called kubelet, in our own mount and PID namespaces: no pod's."""
    return [pid for pid in filter(str.isdigit, os.listdir('/proc')) if is_kubelet(pid)]


def is_kubelet(pid: str) -> bool:
    if os.path.basename(first(proc_words(pid, 'cmdline'), '')) != 'kubelet':
        return False
    try:
        for kind in 'mnt', 'pid':
            if os.readlink(f'/proc/{pid}/ns/{kind}') != os.readlink(f'/proc/self/ns/{kind}'):
                return False
        with open(f'/proc/{pid}/status', errors='replace') as file:
            return bool(re.search(r'(?m)^Uid:\s+0\s+0\s+0\s+0$', file.read()))
    except OSError:
        return False  # it has just ended


# ---- HTTP: its modules take a while to load, so only those who ask do, beside what containerd is asked meanwhile ----

MOST_PARTS = 256  # of 64 KiB, of an answer
PORTS = dict(http=80, https=443)


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


def start(*work: Callable[[], None]) -> None:
    for one in work:
        threading.Thread(target=one, daemon=True).start()


def in_advance(question: Callable[..., object], *about: object) -> None:
    """Of what remembers the answer: whoever needs it asks again, and says what is wrong."""
    with contextlib.suppress(Exception):
        question(*about)


def basic(user: str) -> str:
    return 'Basic ' + base64.b64encode(user.encode()).decode()


def bypasses(host: str, port: int, no_proxy: str) -> bool:
    """As the kubelet reads NO_PROXY. https://pkg.go.dev/golang.org/x/net/http/httpproxy"""
    import ipaddress

    address = None
    with contextlib.suppress(ValueError):  # of what is a name, or an entry that is no network
        address = ipaddress.ip_address(host)
    if host == 'localhost' or address and address.is_loopback:
        return True
    for entry in no_proxy.lower().replace(',', ' ').split():
        with contextlib.suppress(ValueError):
            if address and address in ipaddress.ip_network(entry, False):
                return True
        name, _, its_port = entry.removeprefix('*').partition(':')
        named = name and (host == name or host.endswith('.' + name.removeprefix('.')))
        if entry == '*' or named and its_port in ('', str(port)):
            return True
    return False


def proxy_for(url: urllib.parse.SplitResult) -> re.Match[str] | None:
    """Of the kubelet's environment, which read_credentials makes ours: user, host, port."""
    names = url.scheme.upper() + '_PROXY', 'NO_PROXY'
    proxy, without = [os.environ.get(name) or os.environ.get(name.lower(), '') for name in names]
    if not proxy or bypasses(url.hostname or '', url.port or PORTS[url.scheme], without):
        return None
    match = re.fullmatch(r'(?:http://)?(?:([^/]*)@)?(\[[^]]*\]|[^/:@]+)(?::(\d{1,5}))?/?', proxy)
    if not match:
        raise Failure(f'{names[0]} of the kubelet must be http://HOST:PORT for what is asked here', transient=False)
    return match


class Http:
    """Asks hosts, over connections that are kept. One that has never answered in time is not asked again."""

    def __init__(self, deadline: Deadline) -> None:
        self.deadline = deadline
        self.answered: set[str] = set()
        self.silent: set[str] = set()
        self.lock = threading.Lock()  # guards what follows
        self.idle: dict[tuple[str, str], list[http.client.HTTPConnection]] = collections.defaultdict(list)
        self.tls: ssl.SSLContext | None = None

    def request(self, method: str, url: str, headers: Mapping[str, str], body: str = '', seconds: float = 10,
                direct: bool = False) -> Answer:
        parts = urllib.parse.urlsplit(url)
        host = parts.netloc.rpartition('@')[2]
        if host in self.silent:
            raise Failure(f'{host} did not answer in time and is not asked again', transient=False)
        used: list[http.client.HTTPConnection] = []
        said: list[Answer | Exception] = []
        seconds = max(0.1, min(seconds, self.deadline.seconds_left()))
        ended, until = threading.Event(), Deadline(seconds)

        def ask() -> None:
            try:
                said.append(self.exchange(method, parts, dict(headers), body, None if direct else proxy_for(parts), used))
            except Exception as error:
                said.append(error)
            ended.set()

        # Nothing else bounds the look-up of a name, or an answer that comes byte by byte.
        start(ask)
        while until.seconds_left() and not ended.wait(min(0.1, until.seconds_left())):
            pass
        answer = said[0] if said else TimeoutError(f'no answer within {round(seconds, 1):g} s')
        if said:
            self.answered.add(host)
        elif host not in self.answered and not STOPPED.is_set():
            self.silent.add(host)
        if isinstance(answer, Answer):
            return answer
        for connection in used:
            with contextlib.suppress(OSError, AttributeError):
                connection.sock.shutdown(2)  # SHUT_RDWR
        asked = f' for {parts.path}' if parts.path.strip('/') else ''
        secret = isinstance(answer, ValueError) and not isinstance(answer, OSError)  # a header that cannot be sent
        raise Failure(f'cannot ask {host}{asked}: {not secret and str(answer) or type(answer).__name__}',
                      transient=answer.transient if isinstance(answer, Failure) else None)

    def exchange(self, method: str, url: urllib.parse.SplitResult, headers: dict[str, str], body: str,
                 proxy: re.Match[str] | None, used: list[http.client.HTTPConnection]) -> Answer:
        import http.client

        target = (url.path or '/') + (f'?{url.query}' if url.query else '')
        login = proxy and proxy[1] and basic(urllib.parse.unquote(proxy[1] if ':' in proxy[1] else proxy[1] + ':'))
        logins = {'Proxy-Authorization': login} if login else {}
        if proxy and url.scheme == 'http':
            target = f'http://{url.netloc}{target}'
            headers.update(logins)
        while True:
            with self.lock:
                idle = self.idle[url.scheme, url.netloc]
                kept = idle.pop() if idle else None
            used.append(kept or self.connection(url, proxy, logins))
            try:
                used[-1].request(method, target, body.encode() or None, headers)
                response = used[-1].getresponse()
                break
            except (OSError, http.client.HTTPException):  # what was kept, the other end may have closed
                if not kept:
                    raise
        told: dict[str, str] = {}
        for name, value in response.getheaders():
            told[name.lower()] = f'{told.get(name.lower(), "")}\n{value}'.strip()
        parts = [part for _, part in zip(range(MOST_PARTS), iter(partial(response.read, 1 << 16), b''))]
        content = b''.join(parts)
        if response.length and len(parts) < MOST_PARTS:
            raise http.client.IncompleteRead(content, response.length)
        if response.isclosed():
            with self.lock:
                idle.append(used[-1])
        return Answer(response.status, told, content)

    def connection(self, url: urllib.parse.SplitResult, proxy: re.Match[str] | None, logins: dict[str, str],
                   ) -> http.client.HTTPConnection:
        import http.client
        import ssl

        host, port = url.hostname or '', url.port or PORTS[url.scheme]
        to = (proxy[2].strip('[]'), int(proxy[3] or 80)) if proxy else (host, port)
        if url.scheme == 'http':
            return http.client.HTTPConnection(*to, timeout=60)
        with self.lock:
            self.tls = self.tls or ssl.create_default_context()
        connection = http.client.HTTPSConnection(*to, timeout=60, context=self.tls)
        if proxy:
            connection.set_tunnel(host, port, logins)
        return connection

    def reachable(self, host: str) -> bool:
        """Whether anything answers there, be it with an error; a mirror may serve it all the same."""
        if host not in self.answered | self.silent:
            with contextlib.suppress(Failure):
                self.request('HEAD', f'https://{host}/v2/', dict(), '', 3)
        return host not in self.silent


# ---- AWS ----

class AwsKey(NamedTuple):
    access: str
    secret: str
    token: str


def sign(key: AwsKey, method: str, url: str, headers: Mapping[str, str], body: str, service: str, region: str,
         now: float) -> dict[str, str]:
    """The headers with AWS's signature, version 4.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """
    import hashlib  # loaded by those who sign: a pull does not wait for it
    import hmac

    parts = urllib.parse.urlsplit(url)
    date = time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now))
    signed = dict((name.lower(), ' '.join(value.split())) for name, value in headers.items())
    signed.update({'host': parts.netloc, 'x-amz-date': date}, **({'x-amz-security-token': key.token} if key.token else {}))
    names = ';'.join(sorted(signed))
    query = sorted((urllib.parse.quote(name, safe='-_.~'), urllib.parse.quote(value, safe='-_.~'))
                   for name, value in urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
    request = '\n'.join([
        method, urllib.parse.quote(parts.path or '/', safe='/-_.~'), '&'.join(map('='.join, query)),
        *[f'{name}:{signed[name]}' for name in sorted(signed)], '', names, hashlib.sha256(body.encode()).hexdigest()])
    scope = f'{date[:8]}/{region}/{service}/aws4_request'
    digest = ('AWS4' + key.secret).encode()
    for part in *scope.split('/'), f'AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}':
        digest = hmac.new(digest, part.encode(), 'sha256').digest()
    return dict(signed, authorization=f'AWS4-HMAC-SHA256 Credential={key.access}/{scope}, SignedHeaders={names}, '
                                      f'Signature={digest.hex()}')


class Aws:
    """The APIs of AWS, as the node's own role."""

    def __init__(self, http: Http, report: Report) -> None:
        self.http, self.report = http, report
        self.lock = threading.RLock()  # guards what follows: the metadata service is asked once
        self.key: AwsKey | None = None
        self.until = 0.0
        self.session = ''

    def metadata(self, path: str) -> str:
        """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html"""
        ipv6 = os.environ.get('AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE', '').lower() == 'ipv6'
        address = '[fd00:ec2::254]' if ipv6 else '169.254.169.254'
        base = os.environ.get('AWS_EC2_METADATA_SERVICE_ENDPOINT') or f'http://{address}'
        header = 'x-aws-ec2-metadata-token'

        def ask(method: str, path: str, headers: Mapping[str, str]) -> str:
            answer = self.http.request(method, f'{base.rstrip("/")}/latest/{path}', headers, '', 3, True)
            if answer.status != 200:
                self.session = ''  # it may have expired
                raise Failure(f'the metadata service answers {answer.status} about {path}')
            return answer.body.decode(errors='replace')

        with self.lock:
            self.session = self.session or ask('PUT', 'api/token', {header + '-ttl-seconds': '21600'})
        return ask('GET', 'meta-data/' + path, {header: self.session})

    def credentials(self) -> AwsKey:
        with self.lock:
            if not self.key or time.time() > self.until:
                names = 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'
                self.key = AwsKey(*[os.environ.get(name, '') for name in names])
                if not self.key.access:
                    roles = 'iam/security-credentials/'
                    try:
                        found = json.loads(self.metadata(roles + self.metadata(roles).split()[0]))
                        self.key = AwsKey(*[str.strip(found[name]) for name in ('AccessKeyId', 'SecretAccessKey', 'Token')])
                    except (ValueError, KeyError, IndexError, TypeError):
                        raise Failure('the metadata service has no credentials of a role (yet)') from None
                self.until = time.time() + 900
                self.report.add_secret(self.key.secret, self.key.token)
            return self.key

    def call(self, service: str, endpoint: str, region: str, target: str, question: Json,
             seconds: float = 10) -> dict[str, Json]:
        """An action of an API that speaks JSON 1.1."""
        url = os.environ.get(f'AWS_ENDPOINT_URL_{service.upper()}') or os.environ.get('AWS_ENDPOINT_URL') or endpoint
        body, action = json.dumps(question), target.rpartition('.')[2]
        headers = {'content-type': 'application/x-amz-json-1.1', 'x-amz-target': target}
        signed = sign(self.credentials(), 'POST', url, headers, body, service, region, time.time())
        try:
            answer = self.http.request('POST', url, signed, body, seconds)
        except Failure as failure:
            raise Failure(f'{action}: {failure}', transient=failure.transient) from None
        content = parse_json(answer.body)
        if answer.status != 200:
            kind = str(content.get('__type', answer.status)).rpartition('#')[2]
            raise Failure(f'{action}: {kind}: {content.get("message") or content.get("Message") or "no message"}')
        if not content and service == 'ecr':
            raise Failure(f'{action} answered nonsense')
        return content


def dns_suffix(region: str) -> str:
    starts = {'cn-': 'amazonaws.com.cn', 'eusc-': 'amazonaws.eu', 'us-iso-': 'c2s.ic.gov', 'us-isob-': 'sc2s.sgov.gov',
              'eu-isoe-': 'cloud.adc-e.uk', 'us-isof-': 'csp.hci.ic.gov'}
    return next((suffix for start, suffix in starts.items() if region.startswith(start)), 'amazonaws.com')


def send_report(aws: Aws, parameters: Parameters, stream: str, events: list[tuple[float, str]]) -> None:
    """To the log group, within a few seconds; whatever goes wrong, the run does not fail by it."""
    def ask(action: str, **question: Json) -> None:
        aws.call('logs', f'https://logs.{parameters.region}.{dns_suffix(parameters.region)}', parameters.region,
                 'Logs_20140328.' + action, dict(question, logGroupName=parameters.log_group, logStreamName=stream), 3)

    lines = [dict(timestamp=int(when * 1000), message=text) for when, text in events]
    try:
        ask('PutLogEvents', logEvents=lines)
    except Failure as failure:
        if 'ResourceNotFound' not in str(failure):
            raise
        ask('CreateLogStream')
        ask('PutLogEvents', logEvents=lines)


# ---- The node as this run finds it ----

ECR_PATTERNS = [f'*.dkr{dot}ecr{fips}.*.{domain}' for dot in '.-' for fips in ('', '-fips') for domain in ECR_DOMAINS]
DEFAULT_SOCKET = 'unix:///run/containerd/containerd.sock'


class Node:
    """The kubelet's endpoints, configuration and credential providers."""

    def __init__(self) -> None:
        self.containerd = self.images = DEFAULT_SOCKET
        self.mount, self.max_usage = '/', 100
        self.notes: list[str] = []  # what could not be read or believed
        self.plugins, self.environment = PLUGINS, dict(os.environ)
        self.providers: list[dict[str, Json]] = []
        self.auths: dict[str, Json] = dict()

    def read_endpoints(self, kubelet: Kubelet | None = None) -> None:
        config: dict[str, Json] = {}
        base = '/etc/kubernetes/kubelet/config.json'
        for path in config_files(base) + config_files(base + '.d', ('.conf',)):
            config.update(self.config(path))
        self.containerd = str(config.get('containerRuntimeEndpoint') or DEFAULT_SOCKET)
        self.images = str(config.get('imageServiceEndpoint') or self.containerd)
        flag = kubelet.flag('image-gc-high-threshold', '') if kubelet else ''
        threshold: Json = int(flag) if re.fullmatch(r'\d{1,3}', flag) else config.get('imageGCHighThresholdPercent')
        threshold = 85 if threshold is None else threshold
        self.max_usage = threshold - 1 if isinstance(threshold, int) and 0 < threshold < 100 else 100

    def read_credentials(self, kubelet: Kubelet) -> None:
        self.environment = dict(kubelet.environment, PATH=os.environ.get('PATH', os.defpath))
        for name, value in kubelet.environment.items():
            if name.lower() in ('https_proxy', 'http_proxy', 'no_proxy', 'ssl_cert_file', 'ssl_cert_dir'):
                os.environ.setdefault(name, value)
        self.plugins, self.providers, self.auths = kubelet.flag('image-credential-provider-bin-dir', PLUGINS), [], dict()
        for path in config_files(kubelet.flag('image-credential-provider-config', PLUGINS + '/config.json')):
            providers = self.config(path).get('providers')
            for one in providers if isinstance(providers, list) else []:
                plugin, patterns = as_dict(one).get('name'), as_dict(one).get('matchImages')
                if isinstance(plugin, str) and re.fullmatch(r'[\w.-]+', plugin) and isinstance(patterns, list):
                    self.providers.append(dict(one, matchImages=[str(pattern) for pattern in patterns]))
                else:
                    self.notes.append(f'{path} has a provider without a name or matchImages')
            if not providers:
                self.notes.append(f'{path} names no credential providers')
        if not self.providers:  # what every EKS node has
            self.providers = [dict(name='ecr-credential-provider', matchImages=ECR_PATTERNS)]
        for name in '/var/lib/kubelet/config.json', '/.docker/config.json', '/var/lib/kubelet/.dockercfg':
            for path in config_files(name)[bool(self.auths):]:
                found = self.config(path)
                self.auths = as_dict(found if name.endswith('cfg') else found.get('auths'))

    def config(self, path: str) -> dict[str, Json]:
        """JSON, as nodeadm writes it. What cannot be read, such as YAML, is done without, and said."""
        try:
            found = parse_json(read_trusted(path))
            if not found:
                self.notes.append(f'{path} is not the JSON that is read here')
            return found
        except Failure as failure:
            self.notes.append(str(failure))
            return dict()


def wait_for_node(node: Node, parameters: Parameters, deadline: Deadline, aws: Aws,
                  meanwhile: Iterable[Callable[[], None]]) -> None:
    """Until the kubelet runs and the endpoint it uses answers; in a warm pool, and at the gate, there is no kubelet yet.

    Starts what is to be done meanwhile, once it is known how the kubelet asks for credentials.
    """
    until, warmed = Deadline(min(900, deadline.seconds_left())), False
    while True:
        kubelet, problem = find_kubelet(), ''
        node.notes.clear()
        node.read_endpoints(kubelet)
        if not kubelet.running and parameters.moment != 'gate' and not warmed:
            with contextlib.suppress(Failure):  # most nodes have none
                warmed = aws.metadata('autoscaling/target-lifecycle-state').startswith('Warmed:')
            problem = '' if warmed else 'the kubelet does not run'
        if not problem:
            node.read_credentials(kubelet)
            start(*meanwhile)
            meanwhile = ()
        try:
            found = grpc(node.images, 'runtime.v1.ImageService/ImageFsInfo', 'Empty', dict(), 'ImageFsInfoResponse', 10)
            node.mount = found['image_filesystems'][0]['fs_id'][0]['mountpoint'][0]
        except (Failure, IndexError) as failure:
            if isinstance(failure, Failure) and not failure.transient:
                raise
            said = str(failure)
            problem = problem or (said if said.startswith(node.images) else f'{node.images}: {said}')
        if not problem:
            return
        if not until.seconds_left():
            raise Failure(f'the node is not ready: {problem}')
        STOPPED.wait(1)


def matches_image(pattern: str, reference: str) -> bool:
    """The kubelet's matchImages: a glob per part of the host name, the same port, a prefix of the path."""
    host, _, path = pattern.partition('/')
    image_host, _, image_path = reference.partition('/')
    parts, image_parts = re.split('[.:]', host), re.split('[.:]', image_host)
    return (len(parts) == len(image_parts) and (':' in host) == (':' in image_host) and image_path.startswith(path)
            and all(map(fnmatch.fnmatchcase, image_parts, parts)))


User = tuple[str, str]  # and password


class Credentials:
    """Users and passwords, of the kubelet's own plugins and its config.json.

    A plugin is asked once a registry, and again when what it said is refused: tokens expire half-way through a run.
    """

    def __init__(self, node: Node, report: Report, deadline: Deadline) -> None:
        self.node, self.report, self.deadline = node, report, deadline
        self.lock = threading.Lock()  # guards what follows
        self.locks: dict[str, threading.Lock] = collections.defaultdict(threading.Lock)  # one question at a time
        self.answers: dict[tuple[str, str], tuple[float, dict[str, Json]]] = {}
        self.refusals: dict[str, Failure] = {}
        self.refused: set[str] = set()  # repositories that refused a plugin's second answer, too

    def of(self, image: Reference, refused: frozenset[User] = frozenset()) -> list[User]:
        """In the order in which the kubelet tries them."""
        said: list[tuple[str, Json]] = []
        for provider in self.node.providers:
            if any(matches_image(pattern, str(image)) for pattern in provider['matchImages']):
                with self.lock:
                    lock = self.locks[f'{provider["name"]} {image.host}']
                with lock:
                    said += self.ask(provider, image, refused).items()
        found = self.pick(self.node.auths.items(), image) + self.pick(said, image)
        for user, password in found:
            self.report.add_secret(password, basic(f'{user}:{password}')[6:])
        return found

    def in_advance(self, images: Iterable[Reference]) -> list[Callable[[], None]]:
        """The questions for the first image of each host, so that the answers are there when they are needed."""
        return [partial(in_advance, self.of, image) for image in {one.host: one for one in [*images][::-1]}.values()]

    def forget_failures(self) -> None:
        self.answers = dict((key, answer) for key, answer in [*self.answers.items()] if answer[1])

    def offered(self, image: Reference) -> Iterator[list[User]]:
        """Those at hand and, when they are refused, once what the plugins say then."""
        users = self.of(image)
        yield users
        if users and image.repository not in self.refused:
            yield from filter(None, [[one for one in self.of(image, frozenset(users)) if one not in users]])
            with self.lock:
                self.refused.add(image.repository)

    def pick(self, auth: Iterable[tuple[str, Json]], image: Reference) -> list[User]:
        """The most exact key first, as in Kubernetes' pkg/credentialprovider/keyring.go."""
        places = sorted(((re.sub('^(?:https?://)?([^/]*)(?:/v[12](?=/))?', r'\1', key), as_dict(entry)) for key, entry in auth),
                        key=lambda one: one[0], reverse=True)
        hub = [one for one in places if 'index.' + image.host == one[0].rstrip('/') == 'index.docker.io']
        found = []
        for _, entry in [one for one in places if matches_image(one[0], str(image))] or hub:
            user, password = [str(entry.get(key) or '') for key in ('username', 'password')]
            text = ''.join(str(entry.get('auth') or '').split()).rstrip('=')
            try:
                if text:
                    text = base64.b64decode(text + '=' * (-len(text) % 4), validate=True).decode(errors='replace')
                    user, _, password = text.partition(':')
            except ValueError:
                continue
            if user and password:  # to containerd, half of them is nobody
                found.append((user, password))
        return found

    def ask(self, provider: dict[str, Json], image: Reference, refused: frozenset[User]) -> dict[str, Json]:
        name = str(provider['name'])
        keys = dict(Image=str(image), Registry=image.host, Global='')
        for key in keys.values():
            until, auth = self.answers.get((name, key), (0.0, dict()))
            if not refused.isdisjoint(self.pick(auth.items(), image)):
                self.answers.pop((name, key), None)
            elif time.monotonic() < until:
                return auth
        answer: dict[str, Json] = dict(cacheKeyType='Registry')
        try:
            answer = self.run(provider, name, image)
            self.refusals.pop(image.host, None)
        except Failure as failure:
            # The kubelet, too, then does without: a public registry needs none.
            self.refusals[image.host] = failure
            if failure.transient:
                return dict()
        auth = as_dict(answer.get('auth'))
        if answer.get('cacheDuration') != '0s':
            self.answers[name, keys[answer['cacheKeyType']]] = time.monotonic() + 3600, auth
        return auth

    def run(self, provider: dict[str, Json], name: str, image: Reference) -> dict[str, Json]:
        path = os.path.join(self.node.plugins, name)
        if as_dict(provider.get('tokenAttributes')).get('requireServiceAccount'):
            raise Failure(f'the credential provider {name} wants a service account', transient=False)
        version = str(provider.get('apiVersion', 'credentialprovider.kubelet.k8s.io/v1'))
        question = dict(kind='CredentialProviderRequest', apiVersion=version, image=str(image))
        given = provider.get('env')
        environment = dict(self.node.environment)
        for one in given if isinstance(given, list) else []:
            environment[str(as_dict(one).get('name'))] = str(as_dict(one).get('value') or '')
        try:
            trusted(self.node.plugins)
            trusted(path)
        except OSError as error:
            raise Failure(f'the credential provider {path} cannot be run: {error.strerror}', transient=False) from None
        given = provider.get('args')
        words = map(str, given if isinstance(given, list) else [])
        seconds = min(60, self.deadline.seconds_left())
        code, out, err = run_command([path, *words], json.dumps(question).encode(), seconds, environment=environment,
                                     what=f'the credential provider {name}, asked for {image.host},')
        answer = parse_json(out)
        known = answer.get('cacheKeyType') in ('Image', 'Registry', 'Global') and answer.get('apiVersion', version) == version
        if code or not known:
            raise Failure(f'the credential provider {name} {"failed" if code else "answered nonsense"}: {last_words(err)}')
        return answer


# ---- What ECR and other registries say ----

CONTAINER_IMAGE = re.compile(r'application/vnd\.(docker\.(container|distribution)|oci\.image)\.')
SPARE = 10  # images behind the newest, in case this node cannot run some


def is_container_image(detail: Mapping[str, Json]) -> bool:
    """Charts, SBOMs and SOCI indexes sit in repositories, too; archived images cannot be pulled."""
    kinds = detail.get('imageManifestMediaType'), detail.get('artifactMediaType')
    return detail.get('imageStatus') != 'ARCHIVED' and all(CONTAINER_IMAGE.match(str(kind)) for kind in kinds if kind)


class Detail(NamedTuple):
    pushed: float
    digest: str
    size: int
    tags: tuple[str, ...]


def newest(selection: Selection, details: Iterable[Mapping[str, Json]], before: Iterable[Detail] = ()) -> list[Detail]:
    """What the selection wants of a page and of the pages before, and a few more; literally named tags always stay."""
    found = list(before)
    for one in details:
        tags = tuple(tag for tag in sorted(one.get('imageTags') or []) if selection.takes(tag))
        if tags and is_container_image(one):
            pushed = one.get('imagePushedAt')
            found.append(Detail(float(pushed) if isinstance(pushed, (int, float)) else 0, str(one['imageDigest']),
                                int(one.get('imageSizeInBytes') or 0), tags))
    found.sort(key=lambda one: (one.pushed, one.digest), reverse=True)
    return [one for at, one in enumerate(found) if at < selection.keep + SPARE or set(one.tags) & set(selection.include)]


def endpoint_of(fips: str, region: str, suffix: str) -> str:
    dual = suffix.startswith('on.')
    name = 'ecr-fips' if fips else 'ecr' if dual else 'api.ecr'
    return f'https://{name}.{region}.{"api" + suffix[2:] if dual else suffix}'


def describe_images(aws: Aws, host: str, path: str, **more: Json) -> dict[str, Json]:
    """https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html"""
    registry = ECR_HOST.fullmatch(host)
    assert registry, host
    question = dict(registryId=registry[1], repositoryName=path, **more)
    try:
        answer = retry(lambda: aws.call('ecr', endpoint_of(*registry.group(2, 3, 4)), registry[3],
                                        'AmazonEC2ContainerRegistry_V20150921.DescribeImages', question), aws.http.deadline, 4)
    except Failure as failure:
        if 'AccessDenied' in str(failure):
            raise Failure(f'allow ecr:DescribeImages on this repository to the role of this node: {failure}') from None
        raise
    try:
        for one in answer['imageDetails']:
            int(one.get('imageSizeInBytes') or 0), ''.join([one['imageDigest'], *(one.get('imageTags') or [])])
    except (TypeError, ValueError, LookupError, AttributeError, OverflowError):
        raise Failure(f'DescribeImages of {host}/{path} answered nonsense') from None
    return answer


def describe_tagged(aws: Aws, host: str, path: str) -> Iterator[list[dict[str, Json]]]:
    """The details of all images with a tag, page by page."""
    more: dict[str, Json] = dict()
    for _ in range(1000):
        answer = describe_images(aws, host, path, maxResults=1000, filter=dict(tagStatus='TAGGED'), **more)
        yield answer['imageDetails']
        before, more = more, dict(nextToken=answer.get('nextToken'))
        if not more['nextToken']:
            return
        if more == before:
            break
    raise Failure(f'DescribeImages of {host}/{path} does not end')


def describe_tags(aws: Aws, host: str, path: str, tags: list[str]) -> dict[str, Mapping[str, Json]]:
    """The details of tags; without those that are not there, of which ECR names one an answer."""
    found: dict[str, Mapping[str, Json]] = {}
    for at in range(0, len(tags), 100):
        left = tags[at:at + 100]
        while left:
            try:
                answer = describe_images(aws, host, path, imageIds=[dict(imageTag=tag) for tag in left])
                found.update((tag, one) for one in answer['imageDetails'] for tag in one.get('imageTags') or [])
                break
            except Failure as failure:
                if 'ImageNotFound' not in str(failure):
                    raise
                gone = [tag for tag in left if re.search('''['"]?%s['"]? ?[,}]''' % re.escape(tag), str(failure))]
                left = [tag for tag in left if gone and tag not in gone]
    return found


def current_digest(http_: Http, credentials: Credentials, image: Reference) -> str:
    """What a tag means in its registry now. Unlike a GET, a HEAD does not count against a pull limit."""
    host = 'registry-1.docker.io' if image.host == 'docker.io' else image.host
    scheme = 'http' if re.match(r'(localhost|127\.[\d.]+)(:|$)', host) else 'https'
    url = f'{scheme}://{host}/v2/{image.path}/manifests/{image.tag}'
    headers = dict(Accept=', '.join('application/vnd.' + kind for kind in (
        'oci.image.index.v1+json', 'oci.image.manifest.v1+json', 'docker.distribution.manifest.list.v2+json',
        'docker.distribution.manifest.v2+json')))
    refusal = answer = http_.request('HEAD', url, headers, '', 5)
    challenges = answer.headers.get('www-authenticate', '')
    bearer, plain = [re.search(f'(?im)^{one}(.*)', challenges) for one in ('bearer', 'basic')]

    def ask(user: User | None) -> Answer:
        sent = basic(':'.join(user)) if user and (bearer or plain) else ''
        if bearer:
            fields = dict(re.findall(r'(\w+)="?((?<=")[^"]*|[\w.-]+)', bearer[1])[::-1])
            realm = fields.get('realm', '')
            if not realm.startswith(scheme + ':'):
                return refusal
            query = urllib.parse.urlencode([(key, fields[key]) for key in ('service', 'scope') if key in fields])
            told = http_.request('GET', realm + '?&'['?' in realm] + query, dict(Authorization=sent) if sent else dict(), '', 5)
            token = parse_json(told.body)
            word = token.get('token') or token.get('access_token')
            if not isinstance(word, str):
                return told
            credentials.report.add_secret(word)
            sent = 'Bearer ' + word
        return http_.request('HEAD', url, dict(headers, Authorization=sent), '', 5) if sent else refusal

    for users in credentials.offered(image) if answer.status == 401 else ():
        offers: list[User | None] = [*users] or [None]
        for user in offers:
            if answer.status in (401, 403):
                answer = ask(user)
        if answer.status not in (401, 403):
            break
    digest = answer.headers.get('docker-content-digest', '')
    if answer.status != 200 or not re.fullmatch('sha256:[0-9a-f]{64}', digest):
        raise Failure(f'{host} answers {answer.status} about {image}')
    return digest


# ---- Images of the node: pins are labels on containerd's own records ----

PIN = 'io.cri-containerd.pinned'
OURS = 'cdk-eks-image-prefetcher/'
OWNER = OURS + 'owner.'  # what one prefetcher says: newest or fixed, +pinned; or RELEASED
BROUGHT = OURS + 'pulled'  # this name came by us
WRITTEN = OURS + 'written'  # when we last wrote labels: who wrote later is somebody else
RELEASED = 'released'


class Present(NamedTuple):
    """An image as the CRI lists it."""

    id: str
    names: frozenset[str]
    size: int

    def digests(self, repository: str = '') -> list[str]:
        return sorted(name.partition('@')[2] for name in self.names if name.startswith(repository) and '@' in name)


class Record(NamedTuple):
    """One name in containerd's image store."""

    name: str
    digest: str
    labels: Mapping[str, str]
    updated: float
    target: Message

    def marks(self) -> list[str]:
        return [value for key, value in self.labels.items() if key.startswith(OWNER)]

    def pinned_by_others(self) -> bool:
        """With no mark that pins, or after we last wrote: the same label, meant by somebody else."""
        ours = any(mark.endswith('pinned') for mark in self.marks())
        written = self.labels.get(WRITTEN) or f'{self.updated:.3f}'
        known = float(written) if re.fullmatch(r'\d{1,12}\.\d+', written, re.ASCII) else 0
        return PIN in self.labels and (not ours or self.updated > known + 0.3)


def relabel(record: Record, owner: str, mark: str | None) -> dict[str, str]:
    """The labels after this owner has marked a name, or let go of it (None)."""
    after = dict(record.labels)
    after.pop(OWNER + owner, None)
    if not record.pinned_by_others():
        if mark:
            after[OWNER + owner] = mark
        after.pop(PIN, None)
        if any(value.endswith('pinned') for key, value in after.items() if key.startswith(OWNER)):
            after[PIN] = 'pinned'
    return after


class Images:
    """containerd and the CRI, as the kubelet uses them."""

    def __init__(self, node: Node, deadline: Deadline) -> None:
        self.node, self.deadline = node, deadline

    def cri(self, method: str, request: str, message: Message, answer: str, seconds: float = 60,
            watch: Watch | None = None) -> Message:
        service, endpoint = ('Image', self.node.images) if 'Image' in method else ('Runtime', self.node.containerd)
        method, left = f'runtime.v1.{service}Service/{method}', self.deadline.seconds_left()
        if not left:
            raise Failure(f'{in_words(endpoint, method, message)} did not begin ({self.deadline.why_over()})', transient=False)
        return grpc(endpoint, method, request, message, answer, min(seconds, left), watch)

    def call(self, method: str, request: str, message: Message, answer: str) -> Message:
        return grpc(self.node.containerd, 'containerd.services.' + method, request, message, answer,
                    max(5, min(60, self.deadline.seconds_left())))

    def present(self) -> list[Present]:
        answer = retry(lambda: self.cri('ListImages', 'Empty', dict(), 'ListImagesResponse'), self.deadline)
        return [self.to_present(one) for one in answer['images']]

    @staticmethod
    def to_present(one: Message) -> Present:
        names = frozenset(one['id'] + one['repo_tags'] + one['repo_digests'])
        return Present(first(one['id'], ''), names, first(one['size'], 0))

    def status(self, name: str) -> tuple[Present | None, dict[str, Json]]:
        """An image that the CRI has, and its configuration."""
        request = dict(image=dict(image=name), verbose=True)
        # A restart of containerd may pass.
        answer = retry(lambda: self.cri('ImageStatus', 'ImageRequest', request, 'ImageStatusResponse'), self.deadline)
        info = parse_json(from_entries(answer['info']).get('info', ''))
        return (self.to_present(answer['image'][0]) if answer['image'] else None), as_dict(info.get('imageSpec'))

    def records(self) -> dict[str, Record]:
        answer = self.call('images.v1.Images/List', 'Empty', dict(), 'RecordsResponse')
        return dict((one.name, one) for one in map(self.to_record, answer['images']))

    def record(self, name: str) -> Record:
        return self.to_record(self.call('images.v1.Images/Get', 'NameRequest', dict(name=name), 'RecordResponse')['image'][0])

    @staticmethod
    def to_record(one: Message) -> Record:
        target, updated = [first(one[name], collections.defaultdict(list)) for name in ('target', 'updated_at')]
        return Record(first(one['name'], ''), first(target['digest'], ''), from_entries(one['labels']),
                      first(updated['seconds'], 0) + first(updated['nanos'], 0) / 1e9, target)

    def write_labels(self, record: Record, after: Mapping[str, str]) -> None:
        if dict(after) == dict(record.labels):
            return
        keys = [key for key in {*record.labels, *after, WRITTEN} if key == WRITTEN or record.labels.get(key) != after.get(key)]
        for _ in range(4):  # until containerd's own time shows that nobody came between
            now = time.time()
            labels = dict((key, f'{now:.3f}' if key == WRITTEN else after[key]) for key in keys if key == WRITTEN or key in after)
            # containerd (2.2) crashes when the descriptor is left out, although the mask does not name it.
            image = dict(name=record.name, labels=entries(labels), target=record.target)
            mask = dict(paths=['labels.' + key for key in keys])
            answer = self.call('images.v1.Images/Update', 'RecordRequest', dict(image=image, update_mask=mask), 'RecordResponse')
            if self.to_record(answer['image'][0]).updated < now + 0.3:
                return

    def add_name(self, name: str, target: Message, labels: Mapping[str, str]) -> None:
        """A further tag of an image that is there needs no registry; the CRI takes it over."""
        labels = dict(labels, **{'io.cri-containerd.image': 'managed', WRITTEN: f'{time.time():.3f}'})
        image = dict(name=name, labels=entries(labels), target=target)
        self.call('images.v1.Images/Create', 'RecordRequest', dict(image=image), 'RecordResponse')

    def used(self) -> set[str]:
        """What containers name: the CRI's and containerd's own."""
        names = set()
        for one in self.cri('ListContainers', 'Empty', dict(), 'ListContainersResponse')['containers']:
            names.update(one['image_ref'] + one['image_id'] + [name for spec in one['image'] for name in spec['image']])
        for one in self.call('containers.v1.Containers/List', 'Empty', dict(), 'ContainersResponse')['containers']:
            names.update(one['image'])
        return names

    def drop_partial(self, since: float) -> str:
        """Lets containerd free what a stopped pull has left: what is still held after a while, in words."""
        left: set[str] = set()
        for _ in range(20):
            # A lease that is gone makes it collect garbage; it would end by itself should we not get to that.
            lease = f'cdk-eks-image-prefetcher-{time.time()}'
            expire = time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(time.time() + 60))
            self.call('leases.v1.Leases/Create', 'LeaseRequest',
                      dict(id=lease, labels=entries({'containerd.io/gc.expire': expire})), 'Empty')
            self.call('leases.v1.Leases/Delete', 'LeaseDelete', dict(id=lease, sync=True), 'Empty')
            left = self.ingests(since)
            if not left or STOPPED.wait(0.5):
                break
        return f'; containerd still holds {len(left)} downloads of it' if left else ''

    def ingests(self, since: float) -> set[str]:
        """Downloads that began since then."""
        found = self.call('content.v1.Content/ListStatuses', 'Empty', dict(), 'IngestsResponse')['statuses']
        return {first(one['ref'], '') for one in found
                if first(first(one['started_at'], collections.defaultdict(list))['seconds'], 0) >= since - 1}


# ---- Pull slots and the disk guard ----

PATIENCE = 0.5  # seconds that answers about the first of the list are waited for before others are pulled
STOPPING = 0.01, 4_000_000  # seconds, and bytes beside, from the decision to stop a pull until containerd writes no more
SILENCE = 20  # seconds until a pull from a host that answers nobody must have begun to bring something
STANDSTILL = 4_000_000  # bytes: pulls that bring less in that time hold up no other
FOREIGN = 'this node cannot run it'
NO_IMAGE = 'it is not a container image, or archived'
UNDER_WAY = dict(asked='{0.host} was still asked which image it is', ready='its pull had not begun',
                 running='its pull had not ended')

Order = tuple[int, ...]  # place in the list; lower comes first


class Image:
    """One wanted reference, and what is known of it."""

    def __init__(self, reference: Reference, order: Order, source: str, digest: str = '', size: int = 0) -> None:
        self.reference, self.order, self.source = reference, order, source
        self.name, self.repository, self.host = str(reference), reference.repository, reference.host
        self.digest, self.size = digest or reference.digest, size
        self.there: Present | None = None
        self.state = 'asked'  # then ready, running (or named beside one that is), said, done
        self.note = ''  # why it may not be had, or is not sure to be current
        self.attempt, self.not_before, self.begun = 0, 0.0, 0.0
        self.alone = self.stopped = self.quiet = self.gone = self.needs_pull = False

    def by_digest(self) -> str:
        return f'{self.repository}@{self.digest}'

    def key(self) -> str:
        return self.digest or self.name

    def unsure(self) -> bool:
        """Whether it is there, but nobody could say that its tag still means the same."""
        return self.there is not None and bool(self.note)

    def current(self) -> bool:
        return self.there is not None and (self.name if not self.reference.tag else self.by_digest()) in self.there.names


class Disk:
    """The image file system, and the threshold that no pull may go past."""

    def __init__(self, mount: str, parameters: Parameters, kubelet_limit: int) -> None:
        self.mount = mount
        self.looks: collections.deque[tuple[float, float, float]] = collections.deque(maxlen=32)  # when, room, how late
        self.limit = min(parameters.max_usage, kubelet_limit)
        self.why = (f'MaxDiskUsage is {parameters.max_usage}%' if self.limit == parameters.max_usage else
                    f'the kubelet deletes images from {kubelet_limit + 1}% on (imageGCHighThresholdPercent)')

    def room(self) -> float:
        """Bytes until the threshold, as the kubelet reckons it; when inodes are scarcer, their share of the disk."""
        figures = os.statvfs(self.mount)
        total = figures.f_blocks * figures.f_frsize
        used = max([(all_ - free) / all_ for all_, free in (
            (figures.f_blocks, figures.f_bavail), (figures.f_files, figures.f_favail)) if all_], default=0)
        return total * (self.limit / 100 - used)

    def look(self, late: float) -> tuple[bool, float]:
        """Whether what fills it must stop, this look being `late` seconds late; and how many to wait until the next one."""
        room, now = self.room(), time.monotonic()
        self.looks.append((now, room, late))
        while len(self.looks) > 3 and now - self.looks[1][0] > 0.03:
            self.looks.popleft()
        since, before, _ = self.looks[0]
        rate = max(0, before - room) / max(now - since, 0.02)
        pause = max(0.002, min(1, room / max(4e9, 8 * rate)))
        # Should it go on like this, and the next look be as late as any of these, that one would come too late.
        seconds = pause + max(one for _, _, one in self.looks) + STOPPING[0]
        return room < rate * seconds + STOPPING[1] * (rate > 0), pause

    def words(self) -> str:
        figures = os.statvfs(self.mount)
        total = figures.f_blocks
        inodes = f', {100 - figures.f_favail * 100 / figures.f_files:.0f}% of its inodes are used' if figures.f_files else ''
        return (f'the disk is {100 - figures.f_bavail * 100 / total:.1f}% full of {total * figures.f_frsize / 2 ** 30:.1f} GiB'
                f'{inodes}, {self.why}')


def write_file(path: str, text: str = '') -> None:
    with open(path, 'w') as file:
        file.write(text)


class Memory:
    """Small facts that the next run wants to know, until the node boots again."""

    def __init__(self, name: str) -> None:
        self.path = f'{STATE}/{name}.json'
        try:
            self.facts = parse_json(read_trusted(self.path))
        except Failure:
            self.facts = dict()

    def set(self, key: str, value: Json) -> None:
        if self.facts.get(key) != value:
            self.facts[key] = value
            if value is None:
                del self.facts[key]
            with contextlib.suppress(OSError):  # without it a run only does more than it had to
                write_file(self.path + '.new', json.dumps(self.facts))
                os.replace(self.path + '.new', self.path)


# ---- One run ----

class Prefetch:
    """Brings the wanted images: asks about them and pulls side by side, each as soon as it is known."""

    def __init__(self, parameters: Parameters, report: Report, deadline: Deadline, node: Node, aws: Aws,
                 credentials: Credentials) -> None:
        self.parameters, self.report, self.deadline, self.node, self.aws = parameters, report, deadline, node, aws
        self.store, self.http, self.credentials = Images(node, deadline), aws.http, credentials
        self.disk = Disk(node.mount, parameters, node.max_usage)
        self.foreign, self.too_large = Memory('foreign'), Memory('too-large')
        self.records: dict[str, Record] = {}
        self.pressed = False  # past the threshold when the run began: pins give way
        self.listed = threading.Event()  # what the node has is known
        self.changed = threading.Condition()  # guards what follows
        self.images: dict[str, Image] = {}
        self.present: dict[str, Present] = {}
        self.spares: dict[Order, list[Detail]] = {}
        self.given_up: set[str] = set()  # hosts that answer nobody, after a pull has tried
        self.kept: set[str] = set()  # repositories of which something could not be brought
        self.questions: list[tuple[Order, list[Image], Callable[[], None]]] = []
        self.asked: list[Order] = []  # orders of the questions under way
        self.patience = 0.0
        self.slots = parameters.parallel
        self.slow: set[str] = set()  # hosts of pulls that stood still
        self.held: set[str] = set()  # pulls that hold the slots
        self.held_since = self.held_room = 0.0

    def run(self) -> None:
        self.plan()
        start(*[self.ask] * 6)
        self.list_images()
        self.pressed = self.disk.room() < 0
        self.patience = time.monotonic() + PATIENCE
        self.listed.set()
        with self.changed:
            planned = self.in_order()
        start(*self.credentials.in_advance(one.reference for one in planned if one.name not in self.present))
        start(*[self.pull_all] * self.slots)
        for image in planned:
            if not image.reference.tag:
                self.known(image)
        with self.changed:
            while self.deadline.seconds_left() and self.open():
                self.changed.wait(1)
                self.open_slot()
            # What is under way is ended by the same deadline.
            grace = time.monotonic() + 5
            while time.monotonic() < grace and any(one.state == 'running' for one in self.images.values()):
                self.changed.wait(0.2)
        for image in self.in_order():
            if image.state != 'done':
                under_way = image.note or UNDER_WAY.get(image.state, '').format(image)
                self.finish(image, 'failed', f'{under_way} ({self.deadline.why_over()})')
        if self.pressed:
            self.relieve()
        if self.parameters.moment == 'reconcile' and self.deadline.seconds_left():
            self.release()

    def list_images(self) -> None:
        """What the CRI has and containerd's records, side by side."""
        found: list[dict[str, Record]] = []
        beside = threading.Thread(target=partial(in_advance, lambda: found.append(self.store.records())), daemon=True)
        beside.start()
        for one in self.store.present():
            self.present.update(dict.fromkeys(one.names, one))
        beside.join()
        self.records = found[0] if found else self.store.records()

    def open(self) -> bool:
        return bool(self.questions or self.asked) or any(one.state != 'done' for one in self.images.values())

    def in_order(self) -> list[Image]:
        return sorted(self.images.values(), key=lambda one: one.order)

    # -- What is wanted

    def plan(self) -> None:
        fixed: dict[tuple[str, str], list[Image]] = collections.defaultdict(list)
        selected: dict[tuple[str, str], list[tuple[Order, Selection]]] = collections.defaultdict(list)
        for at, word in enumerate(self.parameters.wanted_now()):
            if isinstance(word, Selection):
                for position, path in enumerate(word.paths):
                    selected[word.host, path].append(((at, position), word))
                continue
            image = self.add(word, (at,), 'fixed' if word in self.parameters.words else 'newest')
            if word.tag and ECR_HOST.fullmatch(word.host):
                fixed[word.host, word.path].append(image)
            elif word.tag:
                self.questions.append((image.order, [image], partial(self.ask_registry, image)))
        for host, path in {**fixed, **selected}:
            images, choices = fixed[host, path], selected[host, path]
            order = min([one.order for one in images] + [order for order, _ in choices])
            self.questions.append((order, images, partial(self.ask_ecr, host, path, images, choices)))
        self.questions.sort(key=lambda one: one[0], reverse=True)

    def add(self, reference: Reference, order: Order, source: str, digest: str = '', size: int = 0) -> Image:
        image = Image(reference, order, source, digest, size)
        return self.images.setdefault(image.name, image)

    def ask(self) -> None:
        """What one of the asking threads does."""
        while True:
            with self.changed:
                if not self.questions:
                    return
                order, images, question = self.questions.pop()
                self.asked.append(order)
            try:
                question()
            except Exception as error:  # whatever one question meets, the others go on
                self.report.line('', 'failed', repr(error))
                for image in images:
                    if image.state == 'asked':
                        self.failed(image, Failure(repr(error), transient=False))
            with self.changed:
                self.asked.remove(order)
                self.changed.notify_all()

    def ask_registry(self, image: Image) -> None:
        self.listed.wait()
        image.there = self.present.get(image.name)
        if not self.http.reachable(image.host):
            image.quiet = True
        elif image.there:
            try:
                image.digest = current_digest(self.http, self.credentials, image.reference)
            except Failure as failure:
                image.note = f'cannot ask whether it has moved: {failure}'
        self.known(image)

    def ask_ecr(self, host: str, path: str, images: list[Image], choices: list[tuple[Order, Selection]]) -> None:
        try:
            details, ranked = self.describe(host, path, [one.reference.tag for one in images], choices)
        except Failure as failure:
            self.cannot_describe(f'{host}/{path}', images, bool(choices), failure)
            return
        for image in images:
            self.learn(image, details.get(image.reference.tag))
            self.known(image)
        for (order, selection), found in zip(choices, ranked):
            self.choose(f'{host}/{path}', order, selection, found)

    def describe(self, host: str, path: str, tags: list[str], choices: list[tuple[Order, Selection]],
                 ) -> tuple[dict[str, Mapping[str, Json]], list[list[Detail]]]:
        """What the tags are, and what each selection wants: by one listing of the repository, where it takes one anyway."""
        if not choices:
            return describe_tags(self.aws, host, path, tags), []
        details: dict[str, Mapping[str, Json]] = {}
        ranked: list[list[Detail]] = [[] for _ in choices]
        for page in describe_tagged(self.aws, host, path):
            ranked = [newest(selection, page, before) for (_, selection), before in zip(choices, ranked)]
            details.update((tag, one) for one in page for tag in one.get('imageTags') or [] if tag in tags)
        return details, ranked

    def cannot_describe(self, repository: str, images: list[Image], selected: bool, failure: Failure) -> None:
        gone = 'RepositoryNotFound' in str(failure)
        if selected and gone:
            self.report.line(repository, 'skipped', 'the repository does not exist')
        elif selected:
            self.report.line(repository, 'failed', failure)
            self.kept.add(repository)
        for image in images:
            image.gone, image.note = gone, f'cannot ask whether it has moved: {failure}'
            self.known(image)

    @staticmethod
    def learn(image: Image, detail: Mapping[str, Json] | None) -> None:
        if detail is None:
            # A pull-through cache still fetches it when it is pulled.
            image.gone, image.note = True, 'it is not in ECR (any more)'
            return
        image.digest = str(detail['imageDigest'])
        image.size = int(detail.get('imageSizeInBytes') or 0)
        if not is_container_image(detail):
            image.gone, image.note = True, NO_IMAGE

    def choose(self, repository: str, order: Order, selection: Selection, ranked: list[Detail]) -> None:
        """The newest that this node can run, and every tag that the selection names literally."""
        taken, spares = 0, []
        for rank, one in enumerate(ranked):
            literal = [tag for tag in one.tags if tag in selection.include]
            tags = list(one.tags) if taken < selection.keep else literal
            if one.digest in self.foreign.facts and taken < selection.keep:
                self.kept.add(repository)
                self.report.line(f'{repository}:{tags[0]}', 'skipped', self.foreign.facts[one.digest], digest=one.digest)
                continue
            if taken >= selection.keep and not literal:
                spares.append(one)
            taken += 1
            self.choose_tags(repository, (*order, rank), one, tags)
        with self.changed:
            self.spares[order] = spares

    def choose_tags(self, repository: str, order: Order, one: Detail, tags: Iterable[str]) -> None:
        for at, tag in enumerate(tags):
            reference = parse_reference(f'{repository}:{tag}')
            if reference:
                with self.changed:
                    image = self.add(reference, (*order, at), 'newest', one.digest, one.size)
                if image.source == 'newest':
                    self.known(image)

    def known(self, image: Image) -> None:
        """As much as can be known before it is pulled."""
        self.listed.wait()
        image.there = self.present.get(image.name)
        unanswered = image.quiet or image.gone
        if image.current() or image.there and unanswered:
            silence = f'cannot ask whether it has moved: {image.host} does not answer'
            self.settle(image, 'present', silence if image.quiet else image.note)
        elif image.note == NO_IMAGE:
            self.finish(image, 'skipped', NO_IMAGE)
        elif image.digest in self.foreign.facts:
            self.finish(image, 'skipped', image.note or self.foreign.facts[image.digest])
        else:
            with self.changed:
                image.state = 'ready'
                self.changed.notify_all()

    # -- Pulling

    def pull_all(self) -> None:
        """What one slot does: always the first of the list that is known, those of quiet and slow hosts last."""
        while True:
            with self.changed:
                image = self.next_image()
                while image is None:
                    if not self.open() or not self.deadline.seconds_left():
                        return
                    self.changed.wait(0.2)
                    image = self.next_image()
                image.state, image.begun, image.stopped = 'running', time.time(), False
            try:
                self.pull(image)
            except Failure as failure:
                self.failed(image, failure)
            except Exception as error:  # nothing that one image meets may end the others
                self.failed(image, Failure(repr(error), transient=False))
            with self.changed:
                self.changed.notify_all()

    def open_slot(self) -> None:
        """Where every slot is held by a pull that brings next to nothing, the next of the list begins beside them."""
        running, now, room = self.running(), time.monotonic(), self.disk.room()
        names = {one.name for one in running}
        if names != self.held or self.held_room - room > STANDSTILL:
            self.held, self.held_since, self.held_room = names, now, room
        # Those of hosts that answer nobody give up by themselves.
        elif now - self.held_since > SILENCE and len(running) == self.slots < 16 and not all(one.quiet for one in running):
            self.slow.update(one.host for one in running)
            self.slots += 1
            start(self.pull_all)

    def running(self) -> list[Image]:
        return sorted((one for one in self.images.values() if one.state == 'running'), key=lambda one: one.begun)

    def next_image(self) -> Image | None:
        ready = [one for one in self.in_order() if one.state == 'ready' and one.not_before <= time.monotonic()]
        running = self.running()
        for image in sorted(ready, key=lambda one: one.quiet or one.note != '' or one.host in self.slow):
            # What comes first in the list gets its chance to be known first.
            waited_for = [order for order in self.asked + [one[0] for one in self.questions] if order < image.order]
            if waited_for and time.monotonic() < self.patience:
                return None
            if image.alone and running or any(image.digest and one.digest == image.digest for one in running):
                continue
            # An image takes its compressed layers and about twice that unpacked. That is a guess: alone it may always try.
            if running and sum(one.size for one in [image, *running]) * 3 > self.disk.room():
                return None
            return image
        return None

    def pull(self, image: Image) -> None:
        started = time.monotonic()
        before = self.present.get(image.name)
        known = self.present.get(image.by_digest()) if image.digest else None
        if known and not image.needs_pull and self.add_names(image):
            return
        room = self.disk.room()
        least = self.too_large.facts.get(image.key(), -1)
        if room < 0 or not known and room <= least * 1.02:
            raise Failure(self.disk.words() + '; an earlier pull was stopped there' * (room >= 0), outcome='refused')
        self.pull_once(image)
        found, config = self.store.status(image.name)
        if not found:
            raise Failure('pulled, but the CRI does not list it')
        with self.changed:
            self.present.update(dict.fromkeys(found.names, found))
        image.there = found
        wrong = why_foreign(config) if found != before else ''
        if wrong:
            self.reject(image, found, wrong)
            return
        self.too_large.set(image.key(), None)
        outcome = 'present' if before == found else 'pulled'
        self.settle(image, outcome, seconds=round(time.monotonic() - started, 2))

    def add_names(self, image: Image) -> bool:
        """Further tags of an image of the same repository need no registry: writes all that are wanted, then looks once."""
        with self.changed:
            tags = [image] + [one for one in self.in_order() if one.state == 'ready' and not one.needs_pull
                              and one.by_digest() == image.by_digest() and one.not_before <= time.monotonic()]
            for tag in tags[1:]:
                tag.state = 'named'
        try:
            target = self.store.record(image.by_digest()).target
            self.settle_listed([tag for tag in tags if self.add_name(tag, target)])
        except Failure:
            pass  # a pull says why, or does better
        finally:
            with self.changed:
                for tag in tags:
                    tag.needs_pull = tag.state != 'done'
                    tag.state = 'ready' if tag.state == 'named' else tag.state
                self.changed.notify_all()
        return image.state == 'done'

    def add_name(self, image: Image, target: Message) -> bool:
        blank = Record(image.name, image.digest, dict(), 0, target)
        labels = relabel(blank, self.parameters.owner, image.source + '+pinned' * self.parameters.pin)
        try:
            self.store.add_name(image.name, target, dict(labels, **{BROUGHT: 'true'}))
        except Failure:
            return False  # that name is there with another digest: a pull moves it
        return True

    def settle_listed(self, tags: list[Image]) -> None:
        """Each as soon as the CRI lists it, which takes one after the other over."""
        patience = 20  # looks at which nothing has come
        while tags and patience:
            listed = {name: one for one in self.store.present() for name in one.names}
            left = []
            for tag in tags:
                there = listed.get(tag.name)
                if there and tag.by_digest() in there.names:
                    tag.there = there
                    self.settle(tag, 'pulled', marked=True, seconds=0)
                else:
                    left.append(tag)
            patience = 20 if len(left) < len(tags) else patience - 1
            tags = left
            STOPPED.wait(0.1 * bool(tags))

    def pull_once(self, image: Image) -> None:
        due = time.monotonic()

        def watch() -> float:
            nonlocal due
            with self.changed:
                full, pause = self.disk.look(max(0, time.monotonic() - due))
                due = time.monotonic() + pause
                if full and [one for one in self.running() if not one.stopped][-1:] == [image]:
                    image.stopped = True
                    self.disk.looks.clear()  # for the others it counts from now on
                    raise Failure('stopped half-way: ' + self.disk.words(), outcome='refused')
            if image.quiet and time.time() - image.begun > SILENCE and not self.store.ingests(image.begun):
                raise Failure(f'{image.host} does not answer', transient=False)
            return pause

        if image.quiet and image.host in self.given_up:
            raise Failure(f'{image.host} does not answer', transient=False)
        try:
            self.pull_with_credentials(image, watch)
        except Failure as failure:
            if image.stopped:
                raise self.stopped_half_way(image, failure) from None
            raise

    def stopped_half_way(self, image: Image, failure: Failure) -> Failure:
        again = len(self.running()) > 1 and not image.alone  # others may have been the reason
        image.alone |= again
        left = self.store.drop_partial(image.begun)
        if not again:
            self.too_large.set(image.key(), self.disk.room())
        return Failure(f'{failure}{left}', 0, 'refused', again)

    def pull_with_credentials(self, image: Image, watch: Watch) -> None:
        for users in self.credentials.offered(image.reference):
            try:
                self.pull_as_one_of(users, image, watch)
                return
            except Failure as failure:
                if not users or image.stopped or not failure.unauthorized:
                    raise
                refusal = failure
        raise self.without_credentials(image, refusal)

    def pull_as_one_of(self, users: list[User], image: Image, watch: Watch) -> None:
        tried: list[User | None] = [*users] or [None]
        for user in tried:
            fields: dict[str, Any] = dict(image=dict(image=image.name))
            if user:
                fields['auth'] = dict(username=user[0], password=user[1])
            try:
                self.store.cri('PullImage', 'PullImageRequest', fields, 'Empty', self.deadline.seconds_left(), watch)
                return
            except Failure as failure:
                if image.stopped or failure.transient or user is tried[-1]:
                    raise failure if user else self.without_credentials(image, failure) from None

    def without_credentials(self, image: Image, failure: Failure) -> Failure:
        """Says, too, why there were none."""
        refusal = self.credentials.refusals.get(image.host)
        reasons = dict.fromkeys([str(failure), *([str(refusal)] if refusal else []), *self.node.notes])
        return Failure('; '.join(reasons), 0, failure.outcome, refusal.transient if refusal else failure.transient)

    def failed(self, image: Image, failure: Failure) -> None:
        if not self.tries_again(image, failure):
            self.end_without_it(image, str(failure), failure.outcome)

    def tries_again(self, image: Image, failure: Failure) -> bool:
        pause, image.attempt = backoff(image.attempt), image.attempt + 1
        if not failure.transient or image.unsure() or image.quiet or image.attempt >= 6:
            return False
        if self.deadline.seconds_left() <= pause:
            return False
        with self.changed:
            image.state = 'ready'
            image.not_before = time.monotonic() + (pause if failure.outcome == 'failed' else 0)
        return True

    def end_without_it(self, image: Image, text: str, outcome: str) -> None:
        if image.quiet:
            with self.changed:
                self.given_up.add(image.host)
        if image.unsure():
            self.settle(image, 'present', image.note)
        elif 'no match for platform' in text:
            self.reject(image, None, f'{FOREIGN}: {text}')
        elif image.gone and 'not found' in text.lower():
            self.finish(image, 'skipped', image.note)
        else:
            over = self.deadline.why_over()
            self.finish(image, outcome, text if over in text else f'{text} ({over})')

    def reject(self, image: Image, found: Present | None, why: str) -> None:
        """This node cannot run it: nothing of it stays, nothing else goes for it, and no other run of this boot tries."""
        if image.digest:
            self.foreign.set(image.digest, why)
        if found and not any(name in self.records for name in found.names):
            self.store.cri('RemoveImage', 'ImageRequest', dict(image=dict(image=found.id)), 'Empty')
        with self.changed:
            spares = self.spares.get(image.order[:2], [])
            spare = spares.pop(0) if spares and image.order[3:] == (0,) else None
        if spare:
            self.choose_tags(image.repository, (*image.order[:2], 10000 - len(spares)), spare, spare.tags)
        self.finish(image, 'skipped', why)

    def finish(self, image: Image, outcome: str, reason: object = '', **facts: Json) -> None:
        with self.changed:
            if image.state in ('said', 'done'):
                return
            image.state = 'said'
            if outcome in ('failed', 'refused', 'skipped') and not image.gone:
                self.kept.add(image.repository)
        self.report.line(image.name, outcome, reason, **facts)
        with self.changed:
            image.state = 'done'
            self.changed.notify_all()

    def settle(self, image: Image, outcome: str, reason: str = '', marked: bool = False, **facts: Json) -> None:
        """The image is there: pin it, say so."""
        if not self.pressed and not marked:
            try:
                self.mark(image, self.parameters.pin, outcome == 'pulled')
            except Exception as failure:
                reason = f'{reason} not pinned: {failure}'
        assert image.there
        self.finish(image, outcome, reason.strip(), bytes=image.there.size, **facts, **self.facts_of(image, image.there))

    def facts_of(self, image: Image, there: Present) -> dict[str, Json]:
        facts: dict[str, Json] = {}
        digests = there.digests()
        if digests:  # an image that was loaded without a registry has none
            facts['digest'] = image.digest if image.digest in digests else digests[0]
        if self.parameters.pushed_at:
            from calendar import timegm  # no pull waits for it

            with contextlib.suppress(ValueError):  # such as the 30th of February
                pushed = timegm(time.strptime(self.parameters.pushed_at, '%Y-%m-%dT%H:%M:%SZ'))
                facts['pushToCachedSeconds'] = round(max(0, time.time() - pushed), 1)
        return facts

    # -- Pins and clean-up

    def names_of(self, image: Image) -> set[str]:
        """Its names in containerd: by tag and by digest."""
        record = self.records.get(image.name)
        digests = [image.digest] if image.digest else image.there.digests(image.repository + '@') if image.there else (
            [record.digest] if record else [])
        return {image.name, *[f'{image.repository}@{digest}' for digest in digests]}

    def mark(self, image: Image, pin: bool, pulled: bool) -> None:
        """Labels on its names: who wants it, whether that pins it, whether it came by us."""
        for name in sorted(self.names_of(image)):
            record = self.store.record(name) if pulled else self.records.get(name)
            if record:
                after = relabel(record, self.parameters.owner, image.source + '+pinned' * pin)
                # What somebody loaded without a registry has its tag already, but no digest.
                old = self.records.get(name) or self.records.get(image.name)
                moved = not old or old.digest != record.digest
                if pulled and moved and (name not in self.records or '@' not in name):
                    after[BROUGHT] = 'true'
                self.store.write_labels(record, after)

    def relieve(self) -> None:
        """Past the threshold pins would cost pods, so those of the last images go until it would not be past it."""
        room, seen = self.disk.room(), set()
        for image in reversed(self.in_order()):
            if image.there:
                try:
                    self.mark(image, self.parameters.pin and room >= 0, False)
                except Failure:
                    continue
                if room < 0 and self.parameters.pin:
                    self.report.line(image.name, 'unpinned', self.disk.words(), digest=image.digest or None)
                    room += 0 if image.there.id in seen else image.there.size
                    seen.add(image.there.id)

    def release(self) -> None:
        """Lets go of what is no longer wanted. What an earlier run let go of is removed, if it may be."""
        wanted = {name for image in self.images.values() for name in self.names_of(image)}
        selected = {f'{word.host}/{path}' for word in self.parameters.words if isinstance(word, Selection)
                    for path in word.paths}
        said, earlier = set(), []
        for name, record in sorted(self.records.items()):
            mine, repository = record.labels.get(OWNER + self.parameters.owner), repository_of(name)
            if mine == RELEASED:
                earlier.append(record)
            elif mine and name not in wanted and repository not in self.kept:
                by_digest = self.records.get(f'{repository}@{record.digest}', record)
                removed_later = BROUGHT in by_digest.labels and (mine.startswith('newest') or repository in selected)
                after = relabel(record, self.parameters.owner, RELEASED if removed_later else None)
                try:
                    self.store.write_labels(record, after)
                except Failure as failure:
                    self.report.line(name, 'failed', failure)
                    continue
                if PIN in record.labels and PIN not in after and record.digest not in said:
                    said.add(record.digest)
                    self.report.line(name, 'unpinned', digest=record.digest)
        if not earlier:
            return
        used, records = self.store.used(), self.store.records()
        for one in {self.present[record.name] for record in earlier if record.name in self.present}:
            digests = {records[name].digest for name in one.names if name in records}
            names = one.names | {name for name, record in records.items() if record.digest in digests}
            named = sorted(name for name in names if not name.startswith('sha256:'))
            if may_go(map(records.get, named), names, used, wanted, self.kept):
                try:
                    self.store.cri('RemoveImage', 'ImageRequest', dict(image=dict(image=one.id)), 'Empty')
                except Failure as failure:
                    self.report.line(named[0], 'failed', failure)
                    continue
                tag = first([name for name in named if '@' not in name], named[0])
                self.report.line(tag, 'removed', digest=first(one.digests(), ''), bytes=one.size)


def may_go(records: Iterable[Record | None], names: Iterable[str], used: set[str], wanted: set[str], kept: set[str]) -> bool:
    """The one rule of what is removed. An image goes when, of all its names, the CRI's and containerd's,

    - each carries our mark, and every prefetcher that marked it let go of it in an earlier run; its digest came by us;
    - none is pinned, by whomever;
    - no container names one, neither the CRI's nor one of containerd's own;
    - none is wanted, nor of a repository of which something could not be brought.
    """
    for name in names:
        if name in used or name in wanted or repository_of(name) in kept:
            return False
    for record in records:
        if record is None or set(record.marks()) != {RELEASED} or PIN in record.labels:
            return False
        if '@' in record.name and BROUGHT not in record.labels:
            return False
    return any('@' in name for name in names)


def repository_of(name: str) -> str:
    return re.sub('@.*|:[^/]*$', '', name)


def why_foreign(config: Mapping[str, Json]) -> str:
    """Why this node cannot run an image of that configuration."""
    machine = os.uname().machine.replace('x86_64', 'amd64').replace('aarch64', 'arm64')
    system, architecture = config.get('os') or 'linux', config.get('architecture') or machine
    fits = (system, architecture) == ('linux', machine)
    return '' if fits else f'{FOREIGN}: it is for {system}/{architecture}, this is linux/{machine}'


def lock(deadline: Deadline) -> int:
    """Two runs never pull the same image twice."""
    handle = os.open(STATE + '/lock', os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
        except OSError:
            if not deadline.seconds_left():
                raise Failure(f'another run still holds {STATE}/lock') from None
        STOPPED.wait(0.5)


def prefetch(parameters: Parameters, report: Report, deadline: Deadline, aws: Aws, summary: dict[str, Json]) -> int:
    wanted = parameters.wanted_now()
    if parameters.pushed and not wanted:
        report.line(parameters.pushed, 'skipped', 'pushed, but not among the wanted images')
        return 0
    new = not os.path.exists(STATE + '/joined')
    node = Node()
    credentials = Credentials(node, report, deadline)
    # Where something is likely to be pulled, registries' tokens are asked for while containerd is asked what there is.
    likely = wanted if new or parameters.moment != 'reconcile' else []
    meanwhile = credentials.in_advance(
        Reference(word.host, word.paths[0], 'latest', '') if isinstance(word, Selection) else word for word in likely)
    # While a node boots, its metadata may not answer yet.
    if parameters.moment != 'gate' and any(ECR_HOST.fullmatch(word.host) for word in wanted):
        meanwhile.append(partial(in_advance, aws.credentials))
    wait_for_node(node, parameters, deadline, aws, meanwhile)
    credentials.forget_failures()  # of a node that was not ready yet
    summary['endpoint'] = node.images
    if parameters.moment == 'reconcile' and not new:
        STOPPED.wait(random.uniform(0, min(parameters.start_delay, deadline.seconds_left() / 10)))
    lock(deadline)
    write_file(STATE + '/joined')  # later runs since this boot may wait their turn
    one = Prefetch(parameters, report, deadline, node, aws, credentials)
    try:
        one.run()
    finally:
        summary['wanted'] = len(one.images)
        if node.notes:
            summary['note'] = report.scrub('; '.join(node.notes))
    missing = [image for image in one.images.values() if not image.there and image.digest not in one.foreign.facts
               and (image.source == 'fixed' or not image.gone)]
    return 1 if missing or report.counts['failed'] else 0


def stop(*_: object) -> None:
    STOPPED.set()
    for child in list(CHILDREN):
        child.kill()


def main(arguments: list[str]) -> int:
    report, code = Report(), 2
    deadline = Deadline(600)
    aws = Aws(Http(deadline), report)
    summary: dict[str, Json] = dict(instance=os.environ.get('AWS_SSM_INSTANCE_ID', ''), wanted=0)
    signal.signal(signal.SIGTERM, stop)
    parameters = None
    try:
        with open(3, 'rb') as settings:  # a \r ends no line
            parameters = parse_parameters(settings.read().decode(errors='replace'), os.environ, arguments)
        report.moment, report.owner = parameters.moment, parameters.owner
        summary['revision'] = parameters.revision
        if parameters.stale:
            summary['stale'] = True
        # Systems Manager kills at the timeout without a report, so end a little earlier.
        deadline.end = report.started + parameters.seconds - min(30, parameters.seconds / 10)
        if os.path.exists('/etc/bottlerocket-release'):
            raise ValueError('this node runs Bottlerocket, whose images cannot be reached from here')
        code = 1
        os.makedirs(STATE, 0o700, exist_ok=True)
        code = prefetch(parameters, report, deadline, aws, summary)
    except Exception as error:
        summary['error'] = str(error) or repr(error)
    if STOPPED.is_set():
        summary['error'], code = 'stopped by SIGTERM', code or 1
    if not deadline.seconds_left() and not STOPPED.is_set():
        summary['timedOut'] = True
    finish_report(parameters, report, aws, summary)
    return code


def finish_report(parameters: Parameters | None, report: Report, aws: Aws, summary: dict[str, Json]) -> None:
    """The summary, and the lines for the log group: all of them where something changed, or nothing was sent since the boot."""
    aws.http.deadline.end = time.monotonic() + 6
    STOPPED.clear()
    changed = any(report.counts[one] for one in OUTCOMES if one not in ('present', 'skipped'))
    if os.path.exists(STATE + '/reported') and not changed:
        report.events.clear()
    group = parameters.log_group if parameters else ''
    if group and not summary['instance']:
        summary['instance'] = instance_id(aws)
    report.summary(**summary)
    try:
        hand_over_gate(report, str(summary['instance']))
        if parameters and group:
            send_report(aws, parameters, str(summary['instance']), report.events)
        if os.path.exists(STATE + '/gate.json'):
            os.remove(STATE + '/gate.json')
    except (Failure, OSError, ValueError) as problem:
        report.unreported(problem)
        return
    if parameters:
        with contextlib.suppress(OSError):  # without it the next run only says more than it had to
            write_file(STATE + '/reported')


def instance_id(aws: Aws) -> str:
    try:
        return aws.metadata('instance-id')
    except Failure:
        return os.uname().nodename


def hand_over_gate(report: Report, instance: str) -> None:
    """The summary of a gate is kept until it is sent: a later run reports on behalf of a gate that could not."""
    if report.moment == 'gate':
        write_file(STATE + '/gate.json', json.dumps(json.loads(report.events[-1][1])['summary']))
    elif os.path.exists(STATE + '/gate.json'):
        earlier = dict(parse_json(read_trusted(STATE + '/gate.json')), moment='gate', owner=report.owner, instance=instance)
        if earlier.get('outcome') == 'interrupted':
            earlier.setdefault('error', 'interrupted')
        report.earlier(earlier)
        os.remove(STATE + '/gate.json')


if __name__ == '__main__':
    code = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)  # threads that still wait for somebody don't hold it up
