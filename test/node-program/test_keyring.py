"""Credentials are chosen as the kubelet chooses them: among keys of a config.json, and among answers of plugins."""
import base64
import fnmatch
import json
import os
import random
import re
import time
from urllib.parse import urlsplit

import pytest

SEED = int(os.environ.get('KEYRING_SEED', random.SystemRandom().randrange(10 ** 6)))


def keyring(auths, image):
    """https://github.com/kubernetes/kubernetes/blob/v1.35.0/pkg/credentialprovider/keyring.go, in Python."""
    index = {}
    for location, entry in auths.items():
        parsed = urlsplit(location if location.startswith(('https://', 'http://')) else 'https://' + location)
        path = parsed.path[3:] if parsed.path.startswith(('/v1/', '/v2/')) else parsed.path
        index.setdefault(parsed.netloc + (path if path != '/' else ''), []).append(entry)
    target = urlsplit('https://' + image)

    def matches(key):
        one = urlsplit('https://' + key)
        host, port = one.netloc.partition(':')[::2]
        other, other_port = target.netloc.partition(':')[::2]
        parts, others = host.split('.'), other.split('.')
        return (port == other_port and len(parts) == len(others) and target.path.startswith(one.path)
                and all(map(fnmatch.fnmatchcase, others, parts)))

    found = [entry for key in sorted(index, reverse=True) if matches(key) for entry in index[key]]
    return found or (index.get('index.docker.io', []) if target.netloc in ('docker.io', 'index.docker.io') else [])


def credentials(program, auths, providers=(), answer=None):
    node = program.Node()
    node.auths, node.providers = auths, list(providers)
    one = program.Credentials(node, program.Report(), program.Deadline(60))
    if answer:
        one.run = answer
    return one


def users(program, auths, image):
    return credentials(program, auths).of(program.parse_reference(image))


def test_keys_are_tried_as_the_kubelets_keyring_orders_them(program):
    print(f'seed {SEED}')
    draw = random.Random(SEED)
    hosts = ['docker.io', 'index.docker.io', 'registry-1.docker.io', 'quay.io', '*.quay.io', 'eu.quay.io', 'quay.io:5000', '*.io',
             'QUAY.io', '*', 'q*y.io', '*.*.quay.io', 'localhost:5000', 'myindex.docker.io']
    paths = ['', '/', '/v1', '/v1/', '/v2/', '/team', '/team/', '/team/app', '/v2/team', '/v1/team/app', '/library', '/tea']
    images = ['docker.io/library/nginx', 'docker.io/team/app', 'quay.io/team/app', 'eu.quay.io/team/app', 'quay.io:5000/team/x',
              'a.b.quay.io/x', 'localhost:5000/team/app', 'registry-1.docker.io/team/app']
    for _ in range(3000):
        keys = {draw.choice(['', '', 'https://', 'http://']) + draw.choice(hosts) + draw.choice(paths)
                for _ in range(draw.randrange(6))}
        # Of two spellings of one place the kubelet tries either first.
        places = {re.sub('^https?://|/v[12](?=/)|/$', '', key): key for key in sorted(keys)}
        auths = {key: dict(username=key, password='p') for key in places.values()}
        image = draw.choice(images)
        expected = [(entry['username'], 'p') for entry in keyring(auths, image)]
        assert users(program, auths, image + ':v1') == expected, (auths, image)


def encoded(text):
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize('entry, expected', [
    (dict(auth=encoded('me:secret')), [('me', 'secret')]), (dict(auth=encoded('me:se:cr:et')), [('me', 'se:cr:et')]),
    (dict(auth=encoded('me:secret1').rstrip('=')), [('me', 'secret1')]),
    (dict(auth=encoded('me:secret12') + '\n'), [('me', 'secret12')]),
    (dict(auth=encoded('a:b'), username='c', password='d'), [('a', 'b')]),
    (dict(auth='', username='c', password='d'), [('c', 'd')]),
    (dict(auth=None, username='c', password='d'), [('c', 'd')]),
    (dict(auth='!!!'), []), (dict(auth='YQ=YQ'), []), (dict(auth='YWJjZ'), []), (dict(auth=encoded('nobody')), []),
    (dict(auth=7), []),
    (dict(auth=encoded(':secret')), []), (dict(auth=encoded('me:'), identitytoken='t'), []), (dict(identitytoken='t'), []),
    (dict(registrytoken='t'), []), ({}, []), (None, []), ('text', []), ([], []), (dict(username=None, password=None), []),
    (dict(username='c'), []), (dict(auth=encoded('me:\0\0')), [('me', '\0\0')]),
])
def test_an_entry_is_read_as_the_kubelet_reads_it_and_costs_no_other(program, entry, expected):
    auths = {'quay.io/team': entry, 'quay.io': dict(username='last', password='one')}
    assert users(program, auths, 'quay.io/team/app:v1') == expected + [('last', 'one')]


def test_the_nodes_file_comes_before_the_plugins_whose_answers_are_one_keyring(program):
    said = dict(a={'*.io': dict(username='a', password='1')}, b={'quay.io': dict(username='b', password='2')})
    providers = [dict(name=name, matchImages=['quay.io']) for name in said]
    one = credentials(program, {'quay.io': dict(username='file', password='3')}, providers,
                      lambda provider, name, image: dict(cacheKeyType='Registry', auth=said[name]))
    assert one.of(program.parse_reference('quay.io/x:1')) == [('file', '3'), ('b', '2'), ('a', '1')]


# ---- Plugins ----

GOOD = dict(kind='CredentialProviderResponse', apiVersion='credentialprovider.kubelet.k8s.io/v1', cacheKeyType='Registry',
            auth={'quay.io': dict(username='u', password='p')})


@pytest.fixture
def plugin(program, tmp_path):
    def make(answer, code=0, err='', **more):
        (tmp_path / 'out').write_text(answer if isinstance(answer, str) else json.dumps(answer))
        (tmp_path / 'err').write_text(err)
        path = tmp_path / 'plugin'
        path.write_text(f'#!/bin/sh\ncat >> {tmp_path}/asked\necho >> {tmp_path}/asked\n'
                        f'printf "%s\\n" "$@" "[$EMPTY]" > {tmp_path}/ran\n'
                        f'cat {tmp_path}/err >&2\ncat {tmp_path}/out\nexit {code}\n')
        path.chmod(0o755)
        one = credentials(program, {}, [dict(name='plugin', matchImages=['quay.io'], **more)])
        one.node.plugins = str(tmp_path)
        return one

    make.asked = lambda: (tmp_path / 'asked').read_text().count('CredentialProviderRequest')
    make.ran = lambda: (tmp_path / 'ran').read_text().split('\n')[:-1]
    return make


@pytest.mark.parametrize('change, taken', [
    ({}, True), (dict(cacheKeyType='Image'), True), (dict(cacheKeyType='Global'), True), (dict(cacheKeyType='registry'), False),
    (dict(cacheKeyType='Other'), False), (dict(cacheKeyType=None), False), (dict(cacheKeyType=['Image']), False),
    (dict(cacheKeyType={}), False), (dict(apiVersion='credentialprovider.kubelet.k8s.io/v1beta1'), False),
    (dict(apiVersion='v1'), False),
    (dict(auth=None), False), (dict(auth=[]), False), (dict(auth={}), False), (dict(auth={'quay.io': None}), False),
    (dict(auth={'': dict(username='u', password='p')}), False), (dict(auth={'[': dict(username='u', password='p')}), False),
    (dict(cacheDuration='0s'), True), (dict(cacheDuration='6h0m0s'), True), (dict(cacheDuration=None), True),
    (dict(auth={'https://quay.io/v2/': dict(username='u', password='p')}), True),
])
def test_an_answer_counts_where_it_counts_for_the_kubelet(program, plugin, change, taken):
    one = plugin(dict(GOOD, **change))
    assert one.of(program.parse_reference('quay.io/x:1')) == [('u', 'p')] * taken


@pytest.mark.parametrize('duration, times', [('0s', 3), ('6h0m0s', 1), (None, 1)])
def test_an_answer_is_kept_unless_it_says_not_to(program, plugin, duration, times):
    one = plugin(dict(GOOD, cacheDuration=duration))
    for tag in 'abc':
        one.of(program.parse_reference(f'quay.io/{tag}:1'))
    assert plugin.asked() == times


@pytest.mark.parametrize('version', ['v1', 'v1beta1', 'v1alpha1'])
def test_a_plugin_is_asked_in_the_version_of_its_configuration(program, plugin, version):
    version = f'credentialprovider.kubelet.k8s.io/{version}'
    one = plugin(dict(GOOD, apiVersion=version), apiVersion=version, args=['get', 7],
                 env=[dict(name='EMPTY', value=None), 7, dict()])
    assert one.of(program.parse_reference('quay.io/x:1')) == [('u', 'p')]
    assert plugin.ran() == ['get', '7', '[]']


def test_a_plugin_for_pods_with_a_service_account_is_not_asked(program, plugin):
    one = plugin(GOOD, tokenAttributes=dict(requireServiceAccount=True, serviceAccountTokenAudience='x'))
    assert one.of(program.parse_reference('quay.io/x:1')) == []
    assert 'the credential provider plugin wants a service account' == str(one.refusals['quay.io'])


def test_no_part_of_a_known_secret_is_said(program, plugin):
    secret = ''.join(random.Random(SEED).choices('abcdefghijklmnop', k=2000))
    one = plugin('', 1, f'bad token {secret} and {secret[:900]}{secret[900:]} end')
    one.report.add_secret(secret, secret[:40])
    one.of(program.parse_reference('quay.io/x:1'))
    said = one.report.scrub(one.refusals['quay.io'])
    assert 'end' in said
    assert not any(secret[at:at + 12] in said for at in range(0, 1988))


def test_a_secret_within_another_leaves_nothing_of_it(program):
    for _ in range(20):
        report = program.Report()
        report.add_secret(*['abc' + 'xyz' * number for number in range(8)])
        assert report.scrub('abc' + 'xyz' * 7) == '***'


def test_hosts_that_are_asked_at_once_share_one_answer_for_all(program):
    providers = [dict(name='plugin', matchImages=['*.io'])]
    made = []

    def run(provider, name, image):
        made.append(image)
        time.sleep(0.01)
        return dict(GOOD, cacheKeyType='Global', auth={'*.io': dict(username='u', password=str(len(made)))})

    import concurrent.futures
    one = credentials(program, {}, providers, run)
    images = [program.parse_reference(f'{letter}.io/x:1') for letter in 'abcdefgh']
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for _ in range(10):
            known = frozenset(one.of(images[0]))
            assert all(pool.map(lambda image, known=known: one.of(image, known), images))
