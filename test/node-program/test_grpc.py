"""Messages to containerd, and what makes sense to try again."""
import random
import sys

import pytest


def test_a_message_survives_the_round_trip(program):
    seed = random.randrange(2 ** 32)
    print('seed', seed)
    source = random.Random(seed)
    for _ in range(300):
        fields = [(source.randint(1, 2000), source.choice([
            source.randint(0, 2 ** source.randint(1, 63)), 'ü' * source.randint(0, 300), bytes(source.randint(0, 300)),
        ])) for _ in range(source.randint(0, 12))]
        expected = {}
        for field, value in fields:
            expected.setdefault(field, []).append(value.encode() if isinstance(value, str) else value)
        assert program.decode(program.encode(fields)) == expected


def test_known_bytes(program):
    # PullImageRequest of image "a" with user "u" and password "p", as protoc encodes it.
    request = [(1, [(1, 'a')]), (2, [(1, 'u'), (2, 'p')])]
    assert program.encode(request) == b'\x0a\x03\x0a\x01a\x12\x06\x0a\x01u\x12\x01p'
    assert program.encode([(1, 300)]) == b'\x08\xac\x02'


def test_fields_of_fixed_width_are_stepped_over(program):
    assert program.decode(b'\x09' + 8 * b'x' + b'\x15' + 4 * b'y' + b'\x18\x05')[3] == [5]


@pytest.mark.parametrize('code, text, expected', [
    (14, 'anything', True),
    (4, 'anything', True),
    (2, 'unexpected status from HEAD request to http://h/v2/a/manifests/v1: 503 Service Unavailable', True),
    (2, 'unexpected status code https://h/v2/a: 429 Too Many Requests', True),
    (2, 'toomanyrequests: You have reached your pull rate limit', True),
    (2, 'read tcp 10.0.0.1:40312->10.0.0.2:443: read: connection reset by peer', True),
    (2, 'dial tcp 10.0.0.1:443: i/o timeout', True),
    (2, 'dial tcp: lookup h on 10.0.0.2:53: no such host', True),
    (2, 'failed to copy: httpReadSeeker: unexpected EOF', True),
    (2, 'net/http: TLS handshake timeout', True),
    (2, 'failed to pull: context canceled', True),
    (None, 'An error occurred (ThrottlingException) when calling the DescribeImages operation: Rate exceeded', True),
    (None, 'An error occurred (ServerException) when calling the DescribeImages operation', True),
    (None, 'Could not connect to the endpoint URL: "https://api.ecr.us-east-1.amazonaws.com/"', True),
    (None, 'Unable to locate credentials. You can configure credentials by running "aws configure".', True),
    (None, 'curl timed out', True),
    (5, 'anything', False),
    (7, 'anything', False),
    (16, 'anything', False),
    (5, 'server error: connection reset', False),
    (2, 'failed to resolve reference "h/a:v1": h/a:v1: not found', False),
    (2, 'pull access denied, repository does not exist or may require authorization', False),
    (2, 'unexpected status from HEAD request to http://h/v2/a/manifests/v1: 401 Unauthorized', False),
    (2, 'unexpected status: 403 Forbidden', False),
    (2, 'no match for platform in manifest: not found', False),
    (2, 'write /var/lib/x/data: no space left on device', False),
    (2, 'something nobody has foreseen', False),
    (None, 'An error occurred (AccessDeniedException) when calling', False),
    (None, 'An error occurred (ImageNotFoundException) when calling', False),
    # Words of a name are no reason.
    (2, 'failed to resolve reference "h/timeout/eof-429:reset-503": not of any use', False),
    (2, 'failed to do request: Head "https://h/v2/denied/not-found-401/manifests/403": connection refused', True),
])
def test_what_can_pass(program, code, text, expected):
    assert program.can_pass(text, code) is expected


def test_tries_again_what_can_pass_and_nothing_else(program, run):
    asked = []

    def fail(*texts):
        def action():
            asked.append(1)
            if len(asked) <= len(texts):
                raise program.Failure(texts[len(asked) - 1])
            return 'done'
        return action

    assert program.persist(run, fail('connection reset', '503')) == 'done'
    assert len(asked) == 3
    asked.clear()
    with pytest.raises(program.Failure, match='not found'):
        program.persist(run, fail('503', 'not found', '503'))
    assert len(asked) == 2
    asked.clear()
    with pytest.raises(program.Failure):
        program.persist(run, fail(*20 * ['503']))
    assert len(asked) == 7


def test_does_not_wait_past_the_deadline(program, run):
    asked = []

    def action():
        asked.append(1)
        raise program.Failure('503')

    run.deadline = program.time.monotonic() - 1
    with pytest.raises(program.Failure, match='503'):
        program.persist(run, action)
    assert len(asked) == 1


def test_a_command_ends_at_its_time_and_is_gone(program, run):
    started = program.time.monotonic()
    with pytest.raises(program.Failure, match='timed out') as raised:
        program.call(run, [sys.executable, '-c', 'import time; time.sleep(60)'], seconds=0.3)
    assert raised.value.passing
    assert program.time.monotonic() - started < 5


def test_a_watched_command_ends_when_told(program, run):
    with pytest.raises(program.Failure, match='enough') as raised:
        program.call(run, ['sleep', '60'], watch=lambda: 'enough')
    assert (raised.value.outcome, raised.value.passing) == ('refused', False)


def test_a_missing_command_is_named(program, run):
    with pytest.raises(program.Failure, match='cannot run no-such-command'):
        program.call(run, ['no-such-command'])


def test_a_large_request_arrives_whole(program, run):
    data = bytes(1_000_000)
    assert program.call(run, ['cat'], data)[:2] == (0, data)


def test_no_endpoint_is_a_failure_that_can_pass(program, run):
    with pytest.raises(program.Failure, match='unix:///nowhere.sock') as raised:
        program.cri(run, 'ImageFsInfo')
    assert raised.value.passing
