"""The signatures of the programs on nodes against botocore's, over drawn requests; SIGNATURE_SEED=… repeats them."""
import datetime
import os
import random
import string
import time

import pytest
from conftest import ASSETS, load

auth = pytest.importorskip('botocore.auth')
from botocore.awsrequest import AWSRequest  # noqa: E402
from botocore.credentials import Credentials  # noqa: E402

SEED = int(os.environ.get('SIGNATURE_SEED', time.time_ns() % 2 ** 31))
REQUESTS = 5_000
REGIONS = ['us-east-1', 'cn-north-1', 'us-gov-west-1', 'eusc-de-east-1', 'us-iso-east-1', 'ap-southeast-7']


class Drawn:
    """A request, and who makes it when."""

    def __init__(self, draw):
        def text(alphabet, low, high):
            return ''.join(draw.choices(alphabet, k=draw.randint(low, high)))

        printable = string.ascii_letters + string.digits + '/+=!-_.~%&'
        self.service, self.region = draw.choice(['ssm', 'ecr', 'logs']), draw.choice(REGIONS)
        named = f'{self.service}.{self.region}.amazonaws.com'
        host = draw.choice([named, '127.0.0.1', '[fd00::1]', text('abcXYZ09', 1, 9)])
        path = draw.choice(['', '', '/', '/' + text(string.ascii_letters + string.digits + '-_.~ %:@+$', 1, 12) + 'x'])
        self.url = draw.choice(['http', 'https']) + '://' + host + draw.choice(['', '', ':443', ':4566']) + path
        token = draw.choice(['', text(printable, 1, 900)])
        self.key = text(string.ascii_uppercase, 16, 20), text(printable, 1, 60), token
        self.headers = {'content-type': 'application/x-amz-json-1.1', 'x-amz-target': text(string.ascii_letters, 1, 60)}
        for _ in range(draw.randint(0, 3)):
            self.headers['x-' + text(string.ascii_lowercase + '-', 1, 12)] = text(printable, 1, 40)
        self.body = draw.choice([b'', b'{}', draw.randbytes(draw.randint(1, 2_000)), text('ä€𝄞 "\\', 1, 50).encode()])
        self.now = draw.randint(0, 2 ** 32)


def by_botocore(monkeypatch, drawn, headers):
    """The authorization that botocore gives to a request with those headers."""
    moment = datetime.datetime.fromtimestamp(drawn.now, datetime.timezone.utc)
    monkeypatch.setattr(auth, 'get_current_datetime', lambda *_, **__: moment)
    request = AWSRequest('POST', drawn.url, headers, drawn.body)
    key = Credentials(*drawn.key[:2], drawn.key[2] or None)
    auth.SigV4Auth(key, drawn.service, drawn.region).add_auth(request)
    return request.headers['Authorization']


def test_signatures_of_the_boot_gate(monkeypatch):
    gate = load(ASSETS / 'boot-gate' / 'boot_gate.py')
    print(f'SIGNATURE_SEED={SEED}')
    draw = random.Random(SEED)
    for number in range(REQUESTS):
        drawn = Drawn(draw)
        signed = gate.sign(drawn.url, drawn.headers, drawn.body, drawn.key, drawn.region, drawn.service, drawn.now)
        sent = {name: value for name, value in signed.items() if name != 'authorization'}
        assert signed['authorization'] == by_botocore(monkeypatch, drawn, sent), (SEED, number, vars(drawn))
