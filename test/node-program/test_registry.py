"""What registries other than ECR are asked, with the authentication they want."""
import base64
import http.server
import json
import os
import threading

import pytest

DIGEST = 'sha256:' + 64 * 'd'
MACHINE = os.uname().machine.replace('x86_64', 'amd64').replace('aarch64', 'arm64')
INDEX = dict(manifests=[
    dict(digest='sha256:' + 64 * '1', platform=dict(architecture='s390x', os='linux')),
    dict(digest='sha256:' + 64 * '2', platform=dict(architecture=MACHINE, os='linux')),
])
MANIFESTS = {'v1': INDEX, DIGEST: INDEX, 'sha256:' + 64 * '1': dict(layers=[dict(size=1)]),
             'sha256:' + 64 * '2': dict(layers=[dict(size=20), dict(size=300)])}


@pytest.fixture
def registry():
    """A registry on loopback; `kind` is the authentication it asks for."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            server, authorization = self.server, self.headers.get('Authorization')
            server.asked.append((self.command, self.path, authorization))
            if self.path.startswith('/token?'):
                wanted = 'Basic ' + base64.b64encode(b'user:pass').decode()
                body = json.dumps(dict(token='the-token')).encode()
                return self.answer(200 if authorization == wanted else 401, body)
            wanted = dict(basic='Basic ' + base64.b64encode(b'user:pass').decode(), bearer='Bearer the-token')
            if server.kind and authorization != wanted[server.kind]:
                challenge = dict(basic='Basic realm="x"', bearer=f'Bearer realm="{server.realm}/token",service="s",'
                                                                 'scope="repository:team/app:pull"')[server.kind]
                return self.answer(401, b'', ('WWW-Authenticate', challenge))
            manifest = MANIFESTS.get(self.path.rpartition('/')[2])
            if manifest is None:
                return self.answer(404, b'')
            return self.answer(200, json.dumps(manifest).encode(), ('Docker-Content-Digest', DIGEST))

        do_HEAD = do_GET

        def answer(self, status, body, *headers):
            self.send_response(status)
            for header in headers:
                self.send_header(*header)
            self.send_header('Content-Length', str(len(body)))
            self.end_headers()
            if self.command != 'HEAD':
                self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    server.asked, server.kind = [], ''
    server.host = f'127.0.0.1:{server.server_port}'
    server.realm = f'http://{server.host}'
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize('kind, requests', [('', 3), ('basic', 6), ('bearer', 9)])
def test_digest_and_size_for_this_architecture(program, run, registry, monkeypatch, kind, requests):
    registry.kind = kind
    monkeypatch.setattr(program, 'credentials', lambda *_: ('user', 'pass') if kind else None)
    image = program.Image(f'{registry.host}/team/app:v1', 'fixed')
    program.look_up(run, image)
    assert (image.digest, image.size) == (DIGEST, 320)
    assert len(registry.asked) == requests
    # Not before the registry has asked for it.
    assert registry.asked[0] == ('HEAD', '/v2/team/app/manifests/v1', None)
    if kind == 'bearer':
        assert any(path == '/token?service=s&scope=repository%3Ateam%2Fapp%3Apull' for _, path, _ in registry.asked)
        assert run.scrub('the-token') == '***'


def test_an_image_that_is_there_costs_one_small_request(program, run, registry):
    image = program.Image(f'{registry.host}/team/app:v1', 'fixed')
    image.there = ([f'{registry.host}/team/app@{DIGEST}'], 7)
    program.look_up(run, image)
    assert image.current()
    assert [method for method, _, _ in registry.asked] == ['HEAD']


@pytest.mark.parametrize('change', [
    dict(kind='basic'), dict(kind='bearer'), dict(kind='bearer', realm='file:///etc/passwd?'),
    dict(kind='bearer', realm='https://127.0.0.1:1'),
])
def test_without_an_answer_the_pull_has_to_tell(program, run, registry, change):
    vars(registry).update(change)
    image = program.Image(f'{registry.host}/team/app:v1', 'fixed')
    program.look_up(run, image)
    assert (image.digest, image.size, image.gone) == (None, 0, '')


def test_a_registry_with_https_gets_no_credentials_sent_without(program, run, monkeypatch):
    asked = []

    def request(url, *_):
        asked.append(url)
        return {'www-authenticate': 'Bearer realm="http://elsewhere.io/token",service="s"'}, None

    monkeypatch.setattr(program, 'request', request)
    monkeypatch.setattr(program, 'credentials', lambda *_: ('user', 'pass'))
    program.look_up(run, program.Image('h.io/team/app:v1', 'fixed'))
    assert asked and all(url.startswith('https://h.io/v2/') for url in asked)


def test_credentials_do_not_follow_a_redirect(program, registry):
    seen = []

    class Elsewhere(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append(self.headers.get('Authorization'))
            if self.path == '/first':
                self.send_response(302)
                self.send_header('Location', f'http://localhost:{self.server.server_port}/second')
            else:
                self.send_response(200)
            self.send_header('Content-Length', '0')
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Elsewhere)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        program.request(f'http://127.0.0.1:{server.server_port}/first', 'GET', 'Basic c2VjcmV0')
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert seen == ['Basic c2VjcmV0', None]
