"""Nothing slow holds up what is known; what goes wrong is judged, bounded, and leaves nothing behind."""
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from conftest import HOST, PROGRAM, digest, settings

APP = f'{HOST}/app'

PASSING = [
    'pulling from host quay.io failed with status code [manifests v1]: 503 Service Unavailable',
    'dial tcp: lookup quay.io on 10.0.0.2:53: server misbehaving', 'dial tcp 1.2.3.4:443: connect: no route to host',
    'http2: server sent GOAWAY and closed the connection', 'stream error: stream ID 3; INTERNAL_ERROR',
    'http2: client connection lost', 'use of closed network connection', 'transport is closing',
    'unexpected commit digest sha256:aa, expected sha256:bb: failed precondition', 'unexpected EOF', 'EOF',
    'RequestLimitExceeded: Request limit exceeded', 'ThrottlingException: Rate exceeded', '429 Too Many Requests',
    'proxyconnect tcp: dial tcp 10.0.0.1:3128: connect: connection refused', '502 Bad Gateway', 'context deadline exceeded',
    'no EC2 IMDS role found, operation error ec2imds: GetMetadata, StatusCode: 404, request to EC2 IMDS failed',
    'Unable to locate credentials', 'i/o timeout', 'connection reset by peer', 'TLS handshake timeout', 'no such host',
    'network is unreachable', 'temporary failure in name resolution', 'server closed idle connection', 'broken pipe',
    'http: server gave HTTP response to HTTPS client', 'ExpiredTokenException: The security token included is expired',
    'failed to copy: httpReadSeeker: failed open: unexpected status code 500 Internal Server Error',
    'GetAuthorizationToken, https response error StatusCode: 400, RequestID: , api error ThrottlingException: Rate exceeded',
    'api error TooManyRequestsException: StatusCode: 400', 'something that nobody has seen before',
    # containerd restarted, or collected garbage, in the middle.
    f'failed to extract layer: failed to get reader from content store: content digest {digest(1)}: not found',
    f'failed to prepare extraction snapshot "extract-1 {digest(2)}": parent snapshot {digest(1)} does not exist: not found',
    'lease does not exist: not found',
    # The names of images and hosts may hold any word.
    'failed to pull quay.io/denied/not-found:404: EOF', 'https://quay.io/v2/forbidden/manifests/401: i/o timeout',
]
LASTING = [
    'failed to resolve reference: quay.io/a:1: not found', '403 Forbidden', '401 Unauthorized', 'pull access denied',
    'repository does not exist or may require authorization', 'unauthorized: authentication required', '404 Not Found',
    'no match for platform in manifest', 'write: no space left on device', 'AccessDeniedException: not authorized',
    'failed to prepare extraction snapshot: write: no space left on device', 'please log in: repository not found',
    "ImageNotFoundException: The image with imageId {imageDigest:'null', imageTag:'1.0-SNAPSHOT'} does not exist",
    # Words of HTTP, gRPC and containerd for what an endpoint does not offer.
    '501 Not Implemented', 'rpc error: code = Unimplemented desc = unknown service',
    'no basic auth credentials',
]


@pytest.mark.parametrize('text', PASSING)
def test_what_passes_by_itself_or_is_not_known_is_tried_again(program, text):
    assert program.Failure(text).transient


@pytest.mark.parametrize('text', LASTING)
def test_what_lasts_is_named(program, text):
    assert not program.Failure(text).transient


@pytest.mark.parametrize('text', PASSING[:8])
def test_a_pull_that_passes_the_second_time_is_pulled(program, node, text):
    node.push(APP, 'v1', 1)
    tries = []

    def fail(name):
        tries.append(name)
        if len(tries) < 3:
            raise program.Failure(text)

    node.before_pull = fail
    assert node.run(f'{APP}?newest=1').outcomes == {f'{APP}:v1': 'pulled'} and len(tries) == 3


def test_an_unknown_error_is_tried_a_few_times_only(program, node):
    tries = []

    def fail(name):
        tries.append(name)
        raise program.Failure('who knows')

    node.before_pull = fail
    node.push(APP, 'v1', 1)
    assert node.run(f'{APP}?newest=1').outcomes == {f'{APP}:v1': 'failed'} and 3 <= len(tries) <= 8


def order_of_pulls(node):
    pulls = []
    node.before_pull = pulls.append
    return pulls


def test_images_are_pulled_in_the_order_of_the_list(node):
    pulls = order_of_pulls(node)
    for number, name in enumerate(['c', 'a', 'b', 'd'], 1):
        node.push(f'{HOST}/{name}', 'v1', number)
    node.run(*[f'{HOST}/{name}:v1' for name in 'cabd'], ParallelPulls='1')
    assert sorted(pulls) == sorted(f'{HOST}/{name}:v1' for name in 'cabd')


def test_a_hanging_repository_holds_up_no_other(program, node, monkeypatch):
    release, pulled = threading.Event(), []
    call = program.Aws.call

    def hang(aws, service, endpoint, region, target, question, seconds=10):
        if question['repositoryName'] == 'hangs':
            release.wait(15)
            raise program.Failure('no answer in time')
        return call(aws, service, endpoint, region, target, question, seconds)

    def seen(name):
        pulled.append(name)
        release.set()

    monkeypatch.setattr(program.Aws, 'call', hang)
    node.before_pull = seen
    node.push(APP, 'v1', 1)
    started = time.monotonic()
    ran = node.run(f'{HOST}/hangs?newest=1', f'{APP}?newest=1')
    assert pulled == [f'{APP}:v1'] and time.monotonic() - started < 10
    assert ran.outcomes == {f'{HOST}/hangs': 'failed', f'{APP}:v1': 'pulled'}


def test_images_of_a_host_that_answers_nobody_come_last_and_give_up_together(program, node, monkeypatch):
    monkeypatch.setattr(program, 'SILENCE', 0)
    monkeypatch.setattr(program.Http, 'reachable', lambda http, host: host != 'dead.example.com')
    pulls = order_of_pulls(node)
    node.push(APP, 'v1', 1)
    dead = [f'dead.example.com/app:v{number}' for number in range(5)]
    ran = node.run(*dead, f'{APP}:v1', ParallelPulls='1')
    assert pulls == [f'{APP}:v1']
    assert [ran.outcomes[name] for name in dead] == ['failed'] * 5
    assert 'does not answer' in ran.reason(dead[0])


def test_pulls_that_bring_next_to_nothing_do_not_hold_the_slots(program, node, monkeypatch):
    monkeypatch.setattr(program, 'SILENCE', 0.2)
    monkeypatch.setattr(program.Http, 'reachable', lambda http, host: True)
    pulled, in_time = threading.Event(), []

    def pull(name):
        if name.startswith('slow'):
            in_time.append(pulled.wait(15))
            raise program.Failure('EOF', transient=False)
        pulled.set()

    node.before_pull = pull
    node.push(APP, 'v1', 1)
    slow = [f'slow.example.com/app:v{number}' for number in range(3)]
    ran = node.run(*slow, f'{APP}:v1', ParallelPulls='2')
    assert all(in_time) and node.most == 3
    assert ran.outcomes == {f'{APP}:v1': 'pulled', **dict.fromkeys(slow, 'failed')}


def test_a_pull_that_takes_long_but_brings_something_keeps_its_slot(program, node, monkeypatch):
    monkeypatch.setattr(program, 'SILENCE', 0.2)

    def pull(name):
        for _ in range(50):
            node.room -= 10 ** 6
            time.sleep(0.05)

    node.before_pull = pull
    for number in (1, 2):
        node.push(f'{HOST}/r{number}', 'v1', number)
    assert node.run(f'{HOST}/r1:v1', f'{HOST}/r2:v1', ParallelPulls='1').code == 0
    assert node.most == 1


def test_the_token_is_asked_for_beside_the_question_to_ecr_but_only_where_something_must_be_pulled(program, node, monkeypatch):
    asked, in_time = threading.Event(), []
    monkeypatch.setattr(program.Credentials, 'of', lambda credentials, image: asked.set() or [])
    call = program.Aws.call
    monkeypatch.setattr(program.Aws, 'call', lambda *question: in_time.append(asked.wait(5)) or call(*question))
    node.push(APP, 'v1', 1)
    assert node.run(f'{APP}:v1').code == 0 and in_time == [True]
    asked.clear()
    monkeypatch.setattr(program.Aws, 'call', call)
    assert node.run(f'{APP}:v1').outcomes == {f'{APP}:v1': 'present'} and not asked.is_set()


def test_a_mirror_serves_a_host_that_answers_nobody(program, node, monkeypatch):
    monkeypatch.setattr(program.Http, 'reachable', lambda http, host: False)
    node.registry['mirrored.example.com/app:v1'] = digest(1)
    assert node.run('mirrored.example.com/app:v1').outcomes == {'mirrored.example.com/app:v1': 'pulled'}


def test_a_report_comes_out_when_nothing_ever_answers(program, node):
    release = threading.Event()

    def wait(name):
        release.wait(20)

    node.before_pull = wait
    node.push(APP, 'v1', 1)
    started = time.monotonic()
    ran = node.run(f'{APP}:v1', 'quay.io/other:v1', seconds=1)
    release.set()
    assert time.monotonic() - started < 10
    assert set(ran.outcomes.values()) == {'failed'} and 'TimeoutSeconds is over' in ran.reason(f'{APP}:v1')


def test_a_run_that_is_ended_does_not_blame_its_time_limit(program, node):
    def stop(name):
        program.STOPPED.set()
        raise program.Failure(f'the pull of {name} was stopped')

    node.before_pull = stop
    node.push(APP, 'v1', 1)
    ran = node.run(f'{APP}?newest=1', f'{HOST}/other:v1')
    assert ran.reason(f'{APP}:v1') == f'the pull of {APP}:v1 was stopped (stopped by SIGTERM)'
    assert 'TimeoutSeconds' not in str(ran.lines)


# ---- What does not answer is named, and what it was asked ----

@pytest.fixture
def hanging_curl(program, monkeypatch, tmp_path):
    """A curl that never answers, or ends as one whose own time is over."""
    def make(script):
        path = tmp_path / 'bin'
        path.mkdir()
        (path / 'curl').write_text(f'#!/bin/sh\n{script}\n')
        (path / 'curl').chmod(0o755)
        monkeypatch.setenv('PATH', f'{path}:{os.environ["PATH"]}')

    return make


def test_images_known_by_their_digest_wait_for_no_repository(program, node, monkeypatch):
    pulled, call = threading.Event(), program.Aws.call

    def hang(aws, service, endpoint, region, target, question, seconds=10):
        if not pulled.wait(15):
            raise AssertionError('the image was not pulled meanwhile')
        return call(aws, service, endpoint, region, target, question, seconds)

    monkeypatch.setattr(program.Aws, 'call', hang)
    node.before_pull = lambda name: pulled.set()
    node.push(APP, 'v1', 1)
    # More than are asked at a time.
    others = [f'{HOST}/hangs{number}?newest=1' for number in range(10)]
    ran = node.run(*others, f'{APP}@{digest(1)}')
    assert ran.outcomes[f'{APP}@{digest(1)}'] == 'pulled'
    assert {ran.outcomes[f'{HOST}/hangs{number}'] for number in range(10)} == {'skipped'}


def test_registries_are_asked_while_containerd_lists_what_the_node_has(program, node, monkeypatch):
    asked, call = threading.Event(), program.Aws.call

    def note(aws, service, endpoint, region, target, question, seconds=10):
        asked.set()
        return call(aws, service, endpoint, region, target, question, seconds)

    listing = node.images_v1_Images_List
    monkeypatch.setattr(program.Aws, 'call', note)
    node.images_v1_Images_List = lambda sent, watch: listing(sent, watch) if asked.wait(15) else {}['not asked']
    node.push(APP, 'v1', 1)
    assert node.run(f'{APP}?newest=1').outcomes == {f'{APP}:v1': 'pulled'}


@pytest.mark.parametrize('pushed, before', [(f'{APP}:v1', True), ('', False)], ids=['push', 'first run'])
def test_a_token_is_asked_for_before_containerd_has_answered_anything(program, node, monkeypatch, pushed, before):
    asked, answer = threading.Event(), node.ImageService_ImageFsInfo
    if before:
        program.write_file(program.STATE + '/joined')
    monkeypatch.setattr(program.Credentials, 'of', lambda credentials, image, refused=(): asked.set() or [])
    node.ImageService_ImageFsInfo = lambda sent, watch: answer(sent, watch) if asked.wait(15) else {}['not asked']
    node.push(APP, 'v1', 1)
    assert node.run(f'{APP}?newest=1', pushed=pushed).outcomes == {f'{APP}:v1': 'pulled'}


def test_a_token_is_asked_for_once_however_often_containerd_is_asked_whether_it_is_there(program, node, monkeypatch):
    asked, answers = [], iter([program.Failure('unavailable', 14)] * 3)
    answer, said = node.ImageService_ImageFsInfo, threading.Event()

    def info(sent, watch):
        for failure in answers:
            raise failure
        return answer(sent, watch)

    node.ImageService_ImageFsInfo = info
    wait = program.STOPPED.wait
    monkeypatch.setattr(program.STOPPED, 'wait', lambda seconds=0: wait(0) if seconds == 1 else wait(seconds))
    monkeypatch.setattr(program.Credentials, 'of', lambda credentials, image, refused=(): asked.append(image) or said.set() or [])
    node.push(APP, 'v1', 1)
    aws = program.Aws(program.Http(program.Deadline(9)), program.Report())
    one = program.Node()
    questions = program.Credentials(one, aws.report, aws.http.deadline).in_advance([program.parse_reference(f'{APP}:v1')])
    program.wait_for_node(one, node.parameters(f'{APP}:v1'), program.Deadline(9), aws, questions)
    assert said.wait(15) and next(answers, None) is None and len(asked) == 1


def test_a_plugin_that_failed_before_the_node_was_ready_is_asked_again(program, node, monkeypatch):
    answered, ready, pull, users = threading.Event(), node.ImageService_ImageFsInfo, node.ImageService_PullImage, []
    provider = dict(name='p', matchImages=['*.dkr.ecr.*.amazonaws.com'])

    def plugin(credentials, provider, name, image):
        if not answered.is_set():
            raise program.Failure('access denied')
        return dict(cacheKeyType='Registry', auth={HOST: dict(username='AWS', password='later')})

    monkeypatch.setattr(program.Credentials, 'of', node.credentials_of)
    monkeypatch.setattr(program.Credentials, 'run', plugin)
    monkeypatch.setattr(program.Node, 'read_credentials', lambda one, kubelet: setattr(one, 'providers', [provider]))
    ask = program.Credentials.ask
    monkeypatch.setattr(program.Credentials, 'ask', lambda *about: [ask(*about), answered.set()][0])
    node.ImageService_ImageFsInfo = lambda sent, watch: ready(sent, watch) if answered.wait(15) else {}['not asked']
    node.ImageService_PullImage = lambda sent, watch: users.extend(sent['auth']) or pull(sent, watch)
    node.push(APP, 'v1', 1)
    assert node.run(f'{APP}:v1').outcomes == {f'{APP}:v1': 'pulled'}
    assert [one['password'] for one in users] == [['later']]


def test_the_cri_and_containerd_are_asked_side_by_side_what_they_have(program, node):
    both = threading.Barrier(2, timeout=15)
    records, images = node.images_v1_Images_List, node.ImageService_ListImages
    node.images_v1_Images_List = lambda sent, watch: both.wait() * 0 or records(sent, watch)
    node.ImageService_ListImages = lambda sent, watch: both.wait() * 0 or images(sent, watch)
    node.push(APP, 'v1', 1)
    assert node.run(f'{APP}:v1').outcomes == {f'{APP}:v1': 'pulled'}


@pytest.mark.parametrize('often', [1, 9])
def test_containerds_records_are_asked_for_once_more_and_then_the_run_says_what_is_wrong(program, node, often):
    failures, records = iter([program.Failure('unavailable', 14)] * often), node.images_v1_Images_List

    def listing(sent, watch):
        for failure in failures:
            raise failure
        return records(sent, watch)

    node.images_v1_Images_List = listing
    node.push(APP, 'v1', 1)
    if often == 1:
        assert node.run(f'{APP}:v1').outcomes == {f'{APP}:v1': 'pulled'}
    else:
        with pytest.raises(program.Failure, match='unavailable'):
            node.run(f'{APP}:v1')


def test_a_reconcile_of_a_node_that_has_everything_asks_for_no_token(program, node, monkeypatch):
    asked = []
    node.push(APP, 'v1', 1)
    node.run(f'{APP}?newest=1', f'{APP}@{digest(1)}')
    monkeypatch.setattr(program.Credentials, 'of', lambda credentials, image, refused=(): asked.append(image) or [])
    ran = node.run(f'{APP}?newest=1', f'{APP}@{digest(1)}')
    assert set(ran.outcomes.values()) == {'present'} and asked == []


def test_what_the_node_has_is_known_before_any_answer_counts(program, node):
    """Else what is there would be pulled again."""
    node.push(APP, 'v1', 1)
    node.run(f'{APP}?newest=1')
    listing, pulls = node.ImageService_ListImages, []
    node.ImageService_ListImages = lambda sent, watch: (time.sleep(0.3), listing(sent, watch))[1]
    node.before_pull = pulls.append
    assert node.run(f'{APP}?newest=1').outcomes == {f'{APP}:v1': 'present'} and pulls == []



@pytest.mark.parametrize('method, message, said', [
    ('PullImage', dict(image=dict(image='quay.io/app:v1'), auth=dict(username='u', password='hunter2')),
     'the pull of quay.io/app:v1'),
    ('ImageStatus', dict(image=dict(image='quay.io/app:v1')), 'unix:///run/c.sock, asked for ImageStatus,'),
])
def test_a_call_without_an_answer_names_what_was_asked(program, hanging_curl, method, message, said):
    hanging_curl('exec sleep 60')
    request = dict(PullImage='PullImageRequest', ImageStatus='ImageRequest')[method]
    with pytest.raises(program.Failure) as raised:
        program.grpc('unix:///run/c.sock', f'runtime.v1.ImageService/{method}', request, message, 'Empty', 0.3)
    assert str(raised.value) == f'{said} gave no answer within 0.3 s' and raised.value.transient
    images = program.Images(program.Node(), program.Deadline(0))
    with pytest.raises(program.Failure) as raised:
        images.cri(method, request, message, 'Empty')
    said = said.replace('/run/c.sock', '/run/containerd/containerd.sock')
    assert str(raised.value) == f'{said} did not begin (TimeoutSeconds is over)'


def test_an_endpoint_that_cannot_be_reached_is_named_with_what_it_was_asked(program, tmp_path):
    endpoint, method = f'unix://{tmp_path}/no.sock', 'runtime.v1.ImageService/ListImages'
    with pytest.raises(program.Failure, match=f'^{endpoint} gave no answer to {method}: curl: .7.'):
        program.grpc(endpoint, method, 'Empty', {}, 'Empty', 5)


def test_a_node_that_is_not_ready_names_its_endpoint_once(program, monkeypatch, tmp_path):
    endpoint = f'unix://{tmp_path}/no.sock'
    monkeypatch.setattr(program, 'DEFAULT_SOCKET', endpoint)
    monkeypatch.setattr(program, 'find_kubelet', lambda: program.Kubelet(True, [], {}))
    parameters, deadline = program.parse_parameters(settings(), {}, []), program.Deadline(0.1)
    with pytest.raises(program.Failure, match=f'^the node is not ready: {endpoint} gave no answer to ') as raised:
        program.wait_for_node(program.Node(), parameters, deadline, program.Aws(program.Http(deadline), program.Report()), ())
    assert str(raised.value).count(endpoint) == 1


def test_an_image_that_a_run_did_not_get_to_says_so(program, node):
    release = threading.Event()
    node.before_pull = lambda name: release.wait(20)
    for number in (1, 2):
        node.push(APP, f'v{number}', number)
    ran = node.run(f'{APP}:v1', f'{APP}:v2', seconds=1, ParallelPulls='1')
    release.set()
    assert sorted(line['reason'] for line in ran.lines) == [
        'its pull had not begun (TimeoutSeconds is over)', 'its pull had not ended (TimeoutSeconds is over)']


# ---- Children ----

def test_a_missing_program_is_named_at_once(program):
    with pytest.raises(program.Failure, match='cannot run /no/curl: No such file') as raised:
        program.run_command(['/no/curl'])
    assert not raised.value.transient


def test_a_node_without_curl_is_not_waited_for(program, monkeypatch):
    monkeypatch.setattr(program, 'run_command', lambda command, *_, **__: (_ for _ in ()).throw(
        program.Failure(f'cannot run {command[0]}: No such file', transient=False)))
    monkeypatch.setattr(program, 'find_kubelet', lambda: program.Kubelet(True, [], {}))
    parameters = program.parse_parameters(settings(), {}, ['gate', '300'])
    started = time.monotonic()
    with pytest.raises(program.Failure, match='cannot run curl'):
        aws = program.Aws(program.Http(program.Deadline(9)), program.Report())
        program.wait_for_node(program.Node(), parameters, program.Deadline(300), aws, ())
    assert time.monotonic() - started < 1


def test_an_instance_in_a_warm_pool_needs_no_kubelet(program, node, monkeypatch):
    monkeypatch.setattr(program, 'find_kubelet', lambda: program.Kubelet(False, [], {}))
    monkeypatch.setattr(program.Aws, 'metadata', lambda aws, path: 'Warmed:Running')
    node.push(APP, 'v1', 1)
    assert node.run(f'{APP}?newest=1').outcomes == {f'{APP}:v1': 'pulled'}


def test_a_node_whose_kubelet_never_runs_is_given_up_in_words(program, node, monkeypatch):
    monkeypatch.setattr(program, 'find_kubelet', lambda: program.Kubelet(False, [], {}))
    monkeypatch.setattr(program.Aws, 'metadata', lambda aws, path: 'InService')
    with pytest.raises(program.Failure, match='the node is not ready: the kubelet does not run'):
        node.run(f'{APP}?newest=1', seconds=1)


def test_a_command_ends_at_its_time(program):
    started = time.monotonic()
    with pytest.raises(program.Failure, match='sleep gave no answer within 0.2 s'):
        program.run_command(['sleep', '60'], seconds=0.2)
    assert time.monotonic() - started < 3 and not program.CHILDREN


def test_waiting_costs_no_processor_time(program):
    before = time.process_time()
    with pytest.raises(program.Failure):
        program.run_command(['sleep', '60'], seconds=2, watch=lambda: 1.0)
    assert time.process_time() - before < 0.04  # 2 % of a core


@pytest.mark.parametrize('sent', [signal.SIGKILL, signal.SIGTERM])
def test_what_ends_the_program_ends_what_it_runs(sent, tmp_path):
    script = (f'import sys; sys.argv = ["p"]; source = open({str(PROGRAM)!r}).read()\n'
              'names = dict(__name__="p"); sys.modules["p"] = type(sys)("p")\n'
              'exec(compile(source, "p", "exec"), names)\n'
              'import signal; signal.signal(signal.SIGTERM, names["stop"])\n'
              f'names["run_command"](["sh", "-c", "echo $$ > {tmp_path}/pid; exec sleep 300"], seconds=300)\n')
    process = subprocess.Popen([sys.executable, '-c', script], stderr=subprocess.DEVNULL)
    end = time.monotonic() + 10
    while not (tmp_path / 'pid').exists() or not (tmp_path / 'pid').read_text().strip():
        assert time.monotonic() < end
        time.sleep(0.02)
    child = int((tmp_path / 'pid').read_text())
    process.send_signal(sent)
    process.wait(10)
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            os.kill(child, 0)
            with open(f'/proc/{child}/stat') as file:
                if file.read().rpartition(')')[2].split()[0] == 'Z':
                    return  # ended; it only waits to be reaped by whoever that is here
        except (ProcessLookupError, FileNotFoundError):
            return
        time.sleep(0.02)
    raise AssertionError('the child goes on')


def test_sigterm_ends_every_wait(program):
    threading.Timer(0.2, program.stop).start()
    started = time.monotonic()
    deadline = program.Deadline(60)
    with pytest.raises(program.Failure, match='was stopped'):
        program.run_command(['sleep', '60'], seconds=deadline.seconds_left(), watch=lambda: 0.1)
    assert time.monotonic() - started < 5 and deadline.seconds_left() == 0


def test_a_stopped_pull_is_waited_for_until_containerd_lets_go(program, node, monkeypatch):
    held = [dict(started_at=dict(seconds=int(time.time()) + 1), ref='layer')]
    answers = iter([held, held, held, []])
    node.content_v1_Content_ListStatuses = lambda *_: dict(statuses=next(answers))
    images = program.Images(program.Node(), program.Deadline(60))
    monkeypatch.setattr(program.STOPPED, 'wait', lambda seconds: False)
    assert images.drop_partial(time.time()) == ''
    node.content_v1_Content_ListStatuses = lambda *_: dict(statuses=held)
    assert 'still holds 1 downloads' in images.drop_partial(time.time())
