"""What a registry is asked about a tag, and who learns credentials by it: as containerd would do it."""
import base64
import http.server
import json
import threading
import urllib.parse

import pytest
from conftest import digest

REALM = 'https://auth.example.com/token'


class Registry:
    """Answers Http.request: a registry with a challenge, and a token service for it."""

    def __init__(self, program, challenge, token=None, good='good'):
        self.program, self.challenge, self.good = program, challenge, good
        self.token = token or (lambda user: json.dumps(dict(token='good')))
        self.asked = []

    def request(self, method, url, headers, body='', seconds=10, *options):
        sent = headers.get('Authorization', '')
        self.asked.append((method, url, sent))
        if method == 'GET':
            user = base64.b64decode(sent[6:]).decode() if sent else ''
            said = self.token(user)
            status, said = said if isinstance(said, tuple) else (200, said)
            return self.program.Answer(status, {}, said.encode())
        if sent == 'Bearer good' or sent.startswith('Basic ') and base64.b64decode(sent[6:]).decode().endswith(':' + self.good):
            return self.program.Answer(200, {'docker-content-digest': digest(1)}, b'')
        return self.program.Answer(401, {'www-authenticate': self.challenge}, b'')

    def realms(self):
        return [url for method, url, _ in self.asked if method == 'GET']


def ask(program, registry, *answers):
    """With a plugin that gives one answer after the other: a list of users each."""
    left = list(answers)
    node = program.Node()
    node.providers = [dict(name='plugin', matchImages=['quay.io'])]
    one = program.Credentials(node, program.Report(), program.Deadline(60))
    one.run = lambda provider, name, image: dict(cacheKeyType='Registry', auth={
        'quay.io': dict(username='me', password=left.pop(0) if len(left) > 1 else left[0])} if left else {})
    return program.current_digest(registry, one, program.parse_reference('quay.io/team/app:v1')), one


SCOPE = 'service=quay.io&scope=repository%3Ateam%2Fapp%3Apull'


@pytest.mark.parametrize('challenge, query', [
    (f'Bearer realm="{REALM}",service="quay.io",scope="repository:team/app:pull"', '?' + SCOPE),
    (f'bearer realm="{REALM}",service="quay.io",scope="repository:team/app:pull"', '?' + SCOPE),
    (f'BEARER   realm="{REALM}" ,  service="quay.io" , scope="repository:team/app:pull"', '?' + SCOPE),
    (f'Bearer realm="{REALM}",service=quay.io,scope="repository:team/app:pull"', '?' + SCOPE),
    (f'Bearer realm="{REALM}?a=b",service="quay.io"', '?a=b&service=quay.io'),
    (f'Bearer realm="{REALM}",service="quay.io", Basic realm="other"', '?service=quay.io'),
    (f'Bearer realm="{REALM}",service="quay.io"\nBasic realm="other"', '?service=quay.io'),
    (f'Basic realm="other"\nBearer realm="{REALM}",service="quay.io"', '?service=quay.io'),
    (f'Negotiate\nBearer realm="{REALM}",service="quay.io"', '?service=quay.io'),
    (f'Bearer realm="{REALM}",service="a, b c=d",error="x"', '?service=a%2C+b+c%3Dd'),
])
def test_challenges_are_read_as_containerd_reads_them(program, challenge, query):
    registry = Registry(program, challenge)
    assert ask(program, registry, 'secret')[0] == digest(1)
    assert registry.realms() == [REALM + query]
    assert registry.asked[1][2] == 'Basic ' + base64.b64encode(b'me:secret').decode()


@pytest.mark.parametrize('challenge', [
    '', 'Negotiate', 'Digest realm="x"', 'Bearer', 'Bearer realm=https://auth.example.com', 'Bearer realm="http://auth.example.com"',
    'Bearer realm="file:///etc/shadow"', 'Bearer realm=""', 'Bearer service="x"',
    'Bearer realm="//auth.example.com"', 'NotBasic x="y"',
])
def test_credentials_go_nowhere_containerd_would_not_send_them(program, challenge):
    registry = Registry(program, challenge, good='secret')
    with pytest.raises(program.Failure, match='quay.io answers 401'):
        ask(program, registry, 'secret')
    assert not [sent for _, _, sent in registry.asked if sent]


@pytest.mark.parametrize('token', [
    'null', '[]', '{}', '{"token": null}', '{"token": 7}', '{"token": ""}', '<html>', '', '{"token": {}, "access_token": null}',
    '[' * 9999,
])
def test_a_token_that_is_none_is_not_sent_and_hides_no_words(program, token):
    registry = Registry(program, f'Bearer realm="{REALM}"', lambda user: token)
    with pytest.raises(program.Failure):
        ask(program, registry, 'secret')
    assert not [sent for _, _, sent in registry.asked if sent.startswith('Bearer')]


@pytest.mark.parametrize('token', ['{"token": "good"}', '{"access_token": "good"}', '{"token": "good", "access_token": "other"}',
                                   '{"token": "", "access_token": "good"}'])
def test_either_name_of_a_token(program, token):
    assert ask(program, Registry(program, f'Bearer realm="{REALM}"', lambda user: token), 'secret')[0] == digest(1)


def test_nobody_asks_for_a_token_without_a_password(program):
    registry = Registry(program, f'Bearer realm="{REALM}"')
    assert ask(program, registry)[0] == digest(1)
    assert registry.asked[1] == ('GET', REALM + '?', '')


@pytest.mark.parametrize('refusal', [(401, ''), (403, '{}'), (401, '{"errors": []}')])
def test_a_token_that_expired_is_asked_for_once_more(program, refusal):
    registry = Registry(program, f'Bearer realm="{REALM}"', lambda user: '{"token": "good"}' if user == 'me:new' else refusal)
    assert ask(program, registry, 'old', 'new')[0] == digest(1)
    assert len(registry.realms()) == 2


def test_a_basic_password_that_expired_is_asked_for_once_more(program):
    registry = Registry(program, 'Basic realm="x"', good='new')
    assert ask(program, registry, 'old', 'new')[0] == digest(1)


def test_what_is_refused_twice_is_not_asked_for_a_third_time(program):
    registry = Registry(program, 'Basic realm="x"', good='none')
    left = []
    node = program.Node()
    node.providers = [dict(name='plugin', matchImages=['quay.io'])]
    one = program.Credentials(node, program.Report(), program.Deadline(60))
    one.run = lambda *_: left.append(1) or dict(
        cacheKeyType='Registry', auth={'quay.io': dict(username='me', password=str(len(left)))})
    for tag in 'abc':
        with pytest.raises(program.Failure, match='quay.io answers 401'):
            program.current_digest(registry, one, program.parse_reference(f'quay.io/team/app:{tag}'))
    assert len(left) == 2


@pytest.mark.parametrize('status, headers', [
    (200, {}), (200, {'docker-content-digest': 'sha512:' + 'a' * 128}), (200, {'docker-content-digest': 'sha256:' + 'A' * 64}),
    (405, {}), (404, {}), (429, {'retry-after': '60'}), (307, {'location': 'http://169.254.169.254/'}), (500, {}),
    (200, {'docker-content-digest': digest(1) + '\n' + digest(2)}),
])
def test_any_other_answer_fails_by_its_name(program, status, headers):
    class Odd:
        def request(self, *_):
            return program.Answer(status, headers, b'')
    with pytest.raises(program.Failure, match=f'^quay.io answers {status} about quay.io/team/app:v1$'):
        ask(program, Odd(), 'secret')


def test_a_realm_is_one_address_and_every_challenge_arrives(program):
    """Brackets are no pattern, and the last header of a name does not hide the others."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(urllib.parse.unquote(self.path))
            self.send_response(401)
            self.send_header('WWW-Authenticate', 'Bearer realm="x"')
            self.send_header('www-authenticate', 'Basic realm="y"')
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        answer = program.Http(program.Deadline(20)).request('GET', f'http://127.0.0.1:{server.server_port}/a[1-3]?b=(c,d)', {})
    finally:
        server.shutdown()
    assert asked == ['/a[1-3]?b=(c,d)']
    assert answer.headers['www-authenticate'] == 'Bearer realm="x"\nBasic realm="y"'
