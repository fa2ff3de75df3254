"""How hosts are asked: over connections that are kept, by the kubelet's proxy, and never for longer than was said."""
import contextlib
import http.server
import json
import random
import socket
import socketserver
import ssl
import subprocess
import threading
import time

import pytest
from conftest import digest


@contextlib.contextmanager
def serving(handler, tls=None):
    """Its address, and the connections that were made to it."""
    connections = []

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def process_request(self, request, client_address):
            connections.append(client_address)
            super().process_request(request, client_address)

    one = Server(('127.0.0.1', 0), handler)
    if tls:
        one.socket = tls.wrap_socket(one.socket, server_side=True)
    threading.Thread(target=one.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield one.server_address[1], connections
    finally:
        one.shutdown()
        one.server_close()


class Says(http.server.BaseHTTPRequestHandler):
    """Its path, as long as anybody asks."""

    protocol_version = 'HTTP/1.1'

    def do_GET(self):
        self.rfile.read(int(self.headers.get('content-length', 0)))
        self.send_response(200)
        self.send_header('content-length', str(len(self.path)))
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(self.path.encode())

    do_POST = do_PUT = do_HEAD = do_GET

    def log_message(self, *_):
        pass


def raw(*parts, pause=0.0):
    """Says these bytes, whatever it is asked, and then nothing more for as long as anybody waits."""
    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(65536)
            with contextlib.suppress(OSError):
                for part in parts:
                    self.request.sendall(part)
                    time.sleep(pause)
                if pause:
                    self.request.recv(1)

    return Handler


@pytest.fixture
def asks(program):
    return program.Http(program.Deadline(20))


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in 'HTTPS_PROXY', 'NO_PROXY', 'HTTP_PROXY':
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


# ---- Connections ----

@pytest.mark.parametrize('method, body', [('GET', ''), ('HEAD', ''), ('PUT', ''), ('POST', '{"a": "é"}')])
def test_one_connection_does_for_many_questions(asks, method, body):
    with serving(Says) as (port, connections):
        for number in range(5):
            answer = asks.request(method, f'http://127.0.0.1:{port}/{number}?a=[1-3]', {'x': 'y'}, body)
            assert (answer.status, answer.body) == (200, b'' if method == 'HEAD' else f'/{number}?a=[1-3]'.encode())
        assert len(connections) == 1


def test_questions_of_many_threads_never_get_each_others_answers(asks):
    wrong = []

    def ask(port, number):
        for at in range(20):
            path = f'/{number}/{at}'
            if asks.request('GET', f'http://127.0.0.1:{port}{path}', {}).body.decode() != path:
                wrong.append(path)

    with serving(Says) as (port, connections):
        threads = [threading.Thread(target=ask, args=(port, number)) for number in range(6)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert wrong == [] and 1 <= len(connections) <= 6


def test_pages_of_a_listing_come_over_one_connection(program, monkeypatch):
    class Ecr(Says):
        def do_POST(self):
            question = json.loads(self.rfile.read(int(self.headers['content-length'])))
            at = int(question.get('nextToken') or 0)
            one = dict(imageDigest=digest(at), imageTags=[f'v{at}'], imagePushedAt=at)
            self.path = json.dumps(dict(imageDetails=[one], **(dict(nextToken=str(at + 1)) if at < 11 else {})))
            self.headers.replace_header('content-length', '0')
            self.do_GET()

    monkeypatch.setenv('AWS_ACCESS_KEY_ID', 'a')
    monkeypatch.setenv('AWS_SECRET_ACCESS_KEY', 'b')
    with serving(Ecr) as (port, connections):
        monkeypatch.setenv('AWS_ENDPOINT_URL_ECR', f'http://127.0.0.1:{port}')
        aws = program.Aws(program.Http(program.Deadline(20)), program.Report())
        pages = list(program.describe_tagged(aws, '123456789012.dkr.ecr.us-east-1.amazonaws.com', 'app'))
        assert len(pages) == 12 and len(connections) == 1


def test_a_connection_that_the_other_end_has_closed_meanwhile_is_made_anew(asks):
    class ClosesAfterwards(Says):
        def do_GET(self):
            super().do_GET()
            self.close_connection = True  # without a word of it

    with serving(ClosesAfterwards) as (port, connections):
        for number in range(4):
            assert asks.request('GET', f'http://127.0.0.1:{port}/{number}', {}).body == f'/{number}'.encode()
        assert len(connections) == 4


def test_a_host_that_closes_every_connection_is_not_asked_for_ever(asks):
    with serving(raw(b'')) as (port, connections):
        with pytest.raises(Exception, match=f'^cannot ask 127.0.0.1:{port} for /a: Remote end closed connection') as raised:
            asks.request('GET', f'http://127.0.0.1:{port}/a', {})
        assert raised.value.transient and len(connections) == 1


# ---- Time ----

@pytest.mark.parametrize('parts', [
    [b''], [b'HTTP/1.1 200 OK\r\n'] + [b'a'] * 1000, [b'HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n'] + [b'a'] * 1000,
], ids=['nothing', 'a header', 'a body'])
def test_an_answer_byte_by_byte_ends_in_time(program, asks, parts):
    with serving(raw(*parts, pause=0.05)) as (port, connections):
        started = time.monotonic()
        for _ in range(3):
            with pytest.raises(program.Failure) as raised:
                asks.request('GET', f'http://127.0.0.1:{port}/a', {}, seconds=0.3)
        assert time.monotonic() - started < 5
        # The second and third time it is not asked.
        assert len(connections) == 1 and not raised.value.transient
        assert not asks.reachable(f'127.0.0.1:{port}')


def test_a_host_that_once_answered_is_asked_again(program, asks):
    late = threading.Event()

    class Late(Says):
        def do_GET(self):
            if self.path == '/late':
                late.wait(20)
            super().do_GET()

    with serving(Late) as (port, _):
        asks.request('GET', f'http://127.0.0.1:{port}/a', {})
        with pytest.raises(program.Failure) as raised:
            asks.request('GET', f'http://127.0.0.1:{port}/late', {}, seconds=0.3)
        late.set()
        assert str(raised.value) == f'cannot ask 127.0.0.1:{port} for /late: no answer within 0.3 s' and raised.value.transient
        # Not the late answer to the question before.
        assert asks.request('GET', f'http://127.0.0.1:{port}/b', {}).body == b'/b'


@pytest.fixture
def names_without_answer(program, monkeypatch):
    """A name server that never answers."""
    asked, release = [], threading.Event()
    monkeypatch.setattr(socket, 'getaddrinfo', lambda host, *_: (asked.append(host), release.wait(20))[0] or [])
    yield asked
    release.set()


@pytest.mark.parametrize('url, said', [
    ('https://quay.io/v2/app/manifests/v1', 'cannot ask quay.io for /v2/app/manifests/v1: no answer within 0.3 s'),
    ('https://me:hunter2@auth.example.com/token?account=hunter2',
     'cannot ask auth.example.com for /token: no answer within 0.3 s'),
    ('https://api.ecr.us-east-1.amazonaws.com/', 'cannot ask api.ecr.us-east-1.amazonaws.com: no answer within 0.3 s'),
])
def test_a_name_that_is_looked_up_for_ever_is_named_with_what_was_asked_and_no_secret(
        program, asks, names_without_answer, url, said):
    for _ in range(3):
        with pytest.raises(program.Failure) as raised:
            asks.request('GET', url, dict(authorization='hunter2'), seconds=0.3)
        assert 'hunter2' not in str(raised.value)
        assert str(raised.value) == said and raised.value.transient or 'is not asked again' in str(raised.value)
    assert len(names_without_answer) == 1 and 'is not asked again' in str(raised.value)


def test_an_api_that_does_not_answer_is_named_with_its_action(program, names_without_answer, monkeypatch):
    for name in 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY':
        monkeypatch.setenv(name, 'hunter2')
    aws = program.Aws(program.Http(program.Deadline(9)), program.Report())
    said = []
    for _ in range(2):
        with pytest.raises(program.Failure) as raised:
            aws.call('ecr', 'https://api.ecr.us-east-1.amazonaws.com', 'us-east-1', 'Registry.DescribeImages', {}, 0.3)
        said.append((str(raised.value), raised.value.transient))
    assert said == [
        ('DescribeImages: cannot ask api.ecr.us-east-1.amazonaws.com: no answer within 0.3 s', True),
        ('DescribeImages: api.ecr.us-east-1.amazonaws.com did not answer in time and is not asked again', False)]


def test_sigterm_ends_a_question(program, asks, names_without_answer):
    threading.Timer(0.2, program.STOPPED.set).start()
    started = time.monotonic()
    with pytest.raises(program.Failure):
        asks.request('GET', 'https://quay.io/', {}, seconds=10)
    # Its silence says nothing of the host.
    assert time.monotonic() - started < 5 and asks.silent == set()


# ---- Odd answers ----

@pytest.mark.parametrize('answer, said', [
    (b'nonsense\r\n\r\n', 'nonsense'),
    (b'HTTP/1.1 abc OK\r\n\r\n', 'HTTP/1.1 abc OK'),
    (b'HTTP/1.1 200 OK\r\n' + b'a: b\r\n' * 1000 + b'\r\n', 'got more than 100 headers'),
    (b'HTTP/1.1 200 OK\r\na: ' + b'b' * 100_000 + b'\r\n\r\n', 'got more than 65536 bytes when reading header line'),
    (b'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc', 'IncompleteRead'),
    (b'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n', 'IncompleteRead'),
    (b'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nabc\r\n', 'IncompleteRead'),
    (b'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nab', 'IncompleteRead'),
], ids=range(8))
def test_what_is_no_answer_is_a_failure_that_may_pass(program, asks, answer, said):
    with serving(raw(answer)) as (port, _):
        with pytest.raises(program.Failure, match=f'^cannot ask 127.0.0.1:{port} for /a: ') as raised:
            asks.request('GET', f'http://127.0.0.1:{port}/a', {})
        assert said in str(raised.value) and raised.value.transient


@pytest.mark.parametrize('seed', range(20))
def test_no_answer_whatever_is_more_than_a_failure(program, asks, seed):
    """Cut, doubled and changed anywhere."""
    draw = random.Random(seed)
    for _ in range(20):
        whole = bytearray(draw.choice([
            b'HTTP/1.1 200 OK\r\ncontent-length: 3\r\nWWW-Authenticate: Bearer realm="x"\r\n\r\nabc',
            b'HTTP/1.1 401 \r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n', b'HTTP/1.0 100 Continue\r\n\r\n' * 3]))
        for _ in range(draw.randrange(1, 5)):
            at = draw.randrange(len(whole) + 1)
            whole[at:at + draw.randrange(3)] = draw.choice([b'', b'\xff\0', b'\r\n', b': ', b'9' * 30, b'-1', bytes(whole[:at])])
        with serving(raw(bytes(whole))) as (port, _):
            try:
                assert isinstance(asks.request('GET', f'http://127.0.0.1:{port}/a', {}, seconds=5), program.Answer)
            except program.Failure as failure:
                assert str(failure).startswith(f'cannot ask 127.0.0.1:{port} for /a: '), whole


def test_a_body_without_an_end_fills_no_memory(program, asks, monkeypatch):
    monkeypatch.setattr(program, 'MOST_PARTS', 2)
    with serving(raw(b'HTTP/1.1 200 OK\r\n\r\n', *[b'a' * 1000] * 1000)) as (port, _):
        assert len(asks.request('GET', f'http://127.0.0.1:{port}/a', {}).body) == 2 << 16


def test_what_was_left_of_a_long_body_is_no_answer_to_the_next_question(program, asks, monkeypatch):
    class Long(Says):
        def do_GET(self):
            self.path *= 100_000
            super().do_GET()

    with serving(Long) as (port, connections):
        assert len(asks.request('GET', f'http://127.0.0.1:{port}/a', {}).body) == 200_000
        monkeypatch.setattr(program, 'MOST_PARTS', 1)
        for _ in range(2):
            assert asks.request('GET', f'http://127.0.0.1:{port}/a', {}).body == b'/a' * (1 << 15)
        # The first of the three goes on to be used.
        assert len(connections) == 2


@pytest.mark.parametrize('url, headers', [
    ('/a', dict(Authorization='Bearer hunter2\nx: y')), ('/a', dict(Authorization='Bearer hunter2\r\n\r\n')),
    ('/a b', {}), ('/a\nb', {}), ('/é', {}),
], ids=range(5))
def test_what_cannot_be_sent_is_a_failure_without_a_secret(program, asks, url, headers):
    with serving(Says) as (port, _):
        with pytest.raises(program.Failure) as raised:
            answer = asks.request('GET', f'http://127.0.0.1:{port}{url}', headers)
            # urlsplit takes line breaks out of addresses.
            raise program.Failure('cannot ask') if answer.body == b'/ab' else AssertionError(answer)
    assert str(raised.value).startswith('cannot ask') and 'hunter2' not in str(raised.value)


# ---- TLS and proxies ----

@pytest.fixture(scope='session')
def certificate(tmp_path_factory):
    """A key and a certificate of registry.test, in one file."""
    folder = tmp_path_factory.mktemp('tls')
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
                    '-subj', '/CN=registry.test', '-addext', 'subjectAltName=DNS:registry.test',
                    '-keyout', folder / 'key', '-out', folder / 'certificate'], check=True, capture_output=True)
    (folder / 'both').write_text((folder / 'key').read_text() + (folder / 'certificate').read_text())
    return folder


@contextlib.contextmanager
def registry(certificate):
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate / 'both')
    with serving(Says, tls) as (port, connections):
        yield port, connections


@contextlib.contextmanager
def proxy(to, answer=b'HTTP/1.0 200 OK\r\n\r\n'):
    """Its port, and what it was told; it brings everybody to that port."""
    told = []

    class Proxy(socketserver.BaseRequestHandler):
        def handle(self):
            head = b''
            while b'\r\n\r\n' not in head:
                head += self.request.recv(1)
            told.append(head.decode())
            self.request.sendall(answer)
            with socket.create_connection(('127.0.0.1', to)) as other:
                def carry(source, target):
                    with contextlib.suppress(OSError):
                        while data := source.recv(65536):
                            target.sendall(data)
                        target.shutdown(socket.SHUT_WR)

                back = threading.Thread(target=carry, args=(other, self.request), daemon=True)
                back.start()
                carry(self.request, other)
                back.join()

    with serving(Proxy) as (port, _):
        yield port, told


def test_a_certificate_counts_only_when_the_node_believes_it(program, asks, certificate, monkeypatch):
    with registry(certificate) as (port, _):
        monkeypatch.setattr(socket, 'getaddrinfo', lambda *_: [(2, 1, 6, '', ('127.0.0.1', port))])
        url = f'https://registry.test:{port}/v2/'
        with pytest.raises(program.Failure, match='certificate verify failed') as raised:
            asks.request('GET', url, {})
        assert raised.value.transient
        # As containerd reads it, too.
        monkeypatch.setenv('SSL_CERT_FILE', str(certificate / 'certificate'))
        believes = program.Http(program.Deadline(20))
        assert believes.request('GET', url, {}).body == b'/v2/'
        with pytest.raises(program.Failure, match='certificate verify failed'):
            believes.request('GET', f'https://other.test:{port}/v2/', {})


@pytest.mark.parametrize('name', ['HTTPS_PROXY', 'https_proxy'])
@pytest.mark.parametrize('address, login', [
    ('http://127.0.0.1:{}', ''), ('127.0.0.1:{}', ''), ('http://127.0.0.1:{}/', ''),
    ('http://us%40er:p%3Aa@127.0.0.1:{}', 'Basic dXNAZXI6cDph'), ('http://user@127.0.0.1:{}', 'Basic dXNlcjo='),
])
def test_the_proxy_is_asked_which_then_looks_the_name_up(program, asks, certificate, monkeypatch, name, address, login):
    monkeypatch.setenv('SSL_CERT_FILE', str(certificate / 'certificate'))
    with registry(certificate) as (port, _), proxy(port) as (at, told):
        monkeypatch.setenv(name, address.format(at))
        for _ in range(3):
            assert asks.request('GET', 'https://registry.test/v2/', dict(Authorization='hunter2')).body == b'/v2/'
    assert len(told) == 1 and told[0].startswith('CONNECT registry.test:443 HTTP/1')
    assert 'hunter2' not in told[0] and ('Proxy-Authorization: ' + login in told[0]) == bool(login)


def test_a_proxy_that_refuses_is_told_apart_from_the_host(program, asks, monkeypatch):
    with proxy(1, b'HTTP/1.1 407 Proxy Authentication Required\r\n\r\n') as (at, _):
        monkeypatch.setenv('HTTPS_PROXY', f'http://me:hunter2@127.0.0.1:{at}')
        with pytest.raises(program.Failure, match='cannot ask quay.io: Tunnel connection failed: 407') as raised:
            asks.request('GET', 'https://quay.io/', {})
        assert raised.value.transient and 'hunter2' not in str(raised.value)


@pytest.mark.parametrize('value', ['https://me:hunter2@proxy:3128', 'socks5://hunter2', 'http://', 'http://proxy:port'])
def test_a_proxy_of_another_kind_is_said(program, asks, monkeypatch, value):
    monkeypatch.setenv('HTTPS_PROXY', value)
    with pytest.raises(program.Failure) as raised:
        asks.request('GET', 'https://quay.io/', {}, seconds=1)
    assert 'hunter2' not in str(raised.value)
    # Trying again does not help.
    assert str(raised.value).startswith('cannot ask quay.io: HTTPS_PROXY of the kubelet must be http://HOST:PORT')
    assert not raised.value.transient


@pytest.mark.parametrize('login, sent', [('', None), ('me:hunter2@', 'Basic bWU6aHVudGVyMg=='), ('me@', 'Basic bWU6')])
def test_the_proxy_is_asked_for_what_is_not_encrypted(asks, monkeypatch, login, sent):
    class Proxy(Says):
        def do_GET(self):
            self.path += f' {self.headers["Proxy-Authorization"]} {self.headers["Host"]}'
            super().do_GET()

    with serving(Proxy) as (port, connections):
        monkeypatch.setenv('HTTP_PROXY', f'http://{login}127.0.0.1:{port}')
        for _ in range(2):
            answer = asks.request('GET', 'http://mirror.test:81/a?b', {})
            assert answer.body.decode() == f'http://mirror.test:81/a?b {sent} mirror.test:81'
        assert len(connections) == 1


@pytest.mark.parametrize('name', ['127.0.0.1', 'localhost'])
def test_this_node_itself_is_asked_without_a_proxy(asks, monkeypatch, name):
    for variable in 'HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY':
        monkeypatch.setenv(variable, 'http://127.0.0.1:1')
    with serving(Says) as (port, _):
        assert asks.request('GET', f'http://{name}:{port}/a', {}).body == b'/a'


def test_the_metadata_service_is_never_asked_by_a_proxy(program, monkeypatch):
    asked = []

    def exchange(http, method, url, headers, body, proxy, used):
        asked.append(proxy)
        return program.Answer(200, {}, b'x')

    monkeypatch.setattr(program.Http, 'exchange', exchange)
    monkeypatch.setenv('HTTP_PROXY', 'http://127.0.0.1:1')
    monkeypatch.delenv('AWS_EC2_METADATA_SERVICE_ENDPOINT', raising=False)
    http_ = program.Http(program.Deadline(20))
    assert program.Aws(http_, program.Report()).metadata('instance-id') == 'x' and asked == [None, None]
    http_.request('GET', 'http://169.254.169.254/', {})
    assert asked[2]


@pytest.mark.parametrize('no_proxy, host, expected', [
    ('', 'quay.io', False), ('*', 'quay.io', True), ('a,*', 'quay.io', True), ('*,', '10.0.0.1', True),
    ('quay.io', 'quay.io', True), ('QUAY.IO', 'quay.io', True), ('quay.io', 'cdn.quay.io', True),
    ('quay.io', 'notquay.io', False),
    ('.amazonaws.com', 'api.ecr.us-east-1.amazonaws.com', True), ('*.amazonaws.com', 'api.ecr.us-east-1.amazonaws.com', True),
    ('amazonaws.com', 'amazonaws.com.evil.io', False), (' a , quay.io ', 'quay.io', True), ('quay.io:443', 'quay.io', True),
    ('quay.io:5000', 'quay.io', False), ('10.0.0.0/8', '10.1.2.3', True), ('10.0.0.0/8', '11.1.2.3', False),
    ('10.1.2.3/8', '10.9.9.9', True), ('10.1.2.3', '10.1.2.3', True), ('10.0.0.0/8', 'quay.io', False),
    ('fd00::/8', 'fd00::1', True), ('fd00::/8', '10.0.0.1', False), (',,', 'quay.io', False), ('/', 'quay.io', False),
    ('localhost,127.0.0.0/8', '127.0.0.1', True), ('', '127.0.0.1', True), ('', 'localhost', True), ('', '::1', True),
    ('', '169.254.169.254', False), ('.quay.io', 'quay.io', False), ('*.quay.io', 'quay.io', False),
    ('*.quay.io', 'notquay.io', False), (':443', 'quay.io', False),
])
def test_no_proxy_is_read_as_the_kubelet_reads_it(program, no_proxy, host, expected):
    assert program.bypasses(host, 443, no_proxy) is expected
