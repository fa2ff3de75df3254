"""What is pinned, let go of and removed: the one rule, by cases and by drawn nodes (CLEAN_UP_SEED=… repeats them)."""
import os
import random
import time

import pytest
from conftest import BROUGHT, HOST, OWNER, PIN, digest

APP = f'{HOST}/app'
SEED = int(os.environ.get('CLEAN_UP_SEED', time.time_ns() % 2 ** 31))


def fall_out(node, keep=1):
    """v1 was brought; v2 takes its place; three more runs have every chance to remove v1."""
    node.push(APP, 'v2', 2)
    return [node.run(f'{APP}?newest={keep}') for _ in range(3)]


@pytest.fixture
def brought(node):
    node.push(APP, 'v1', 1)
    assert node.run(f'{APP}?newest=1').outcomes == {f'{APP}:v1': 'pulled'}
    return node


def test_brought_images_are_pinned_by_tag_and_digest(brought):
    for name in f'{APP}:v1', f'{APP}@{digest(1)}':
        assert brought.labels(name) == {OWNER + 'one': 'newest+pinned', PIN: 'pinned', BROUGHT: 'true'}


def test_an_image_whose_digest_nobody_could_say_before_is_marked_by_both_names(node):
    node.registry['quay.io/app:v1'] = digest(1)
    ran = node.run('quay.io/app:v1')
    assert ran.outcomes == {'quay.io/app:v1': 'pulled'} and 'reason' not in ran.lines[0]
    for name in 'quay.io/app:v1', f'quay.io/app@{digest(1)}':
        assert node.labels(name) == {OWNER + 'one': 'fixed+pinned', PIN: 'pinned', BROUGHT: 'true'}


def test_what_fell_out_is_let_go_of_first_and_removed_by_a_later_run(brought):
    first, second, third = fall_out(brought)
    assert first.outcomes == {f'{APP}:v2': 'pulled', f'{APP}:v1': 'unpinned'}
    assert second.outcomes == {f'{APP}:v2': 'present', f'{APP}:v1': 'removed'}
    assert third.outcomes == {f'{APP}:v2': 'present'}
    assert brought.names() == [f'{APP}:v2', f'{APP}@{digest(2)}']


def test_a_name_made_by_ctr_images_tag_keeps_the_image(brought):
    brought.bring('example.com/mine:v1', digest(1))
    fall_out(brought)
    assert {'example.com/mine:v1', f'{APP}:v1'} <= set(brought.names())


def test_a_tag_that_the_kubelet_pulled_of_the_same_digest_keeps_it(brought):
    brought.push(APP, 'prod', 1)
    brought.pull(f'{APP}:prod', digest(1))
    node = brought
    node.push(APP, 'v2', 2)
    for _ in range(3):
        node.run(f'{APP}?newest=1&include=v2')
    assert f'{APP}:prod' in node.names()


def test_a_container_of_ctr_keeps_the_image(brought):
    brought.ctr_containers = [f'{APP}:v1']
    fall_out(brought)
    assert f'{APP}:v1' in brought.names()
    brought.ctr_containers = []
    assert brought.run(f'{APP}?newest=1').outcomes[f'{APP}:v1'] == 'removed'


@pytest.mark.parametrize('name', [f'{APP}:v1', f'{APP}@{digest(1)}'])
def test_a_container_of_the_cri_keeps_the_image(brought, name):
    brought.containers = [name]
    fall_out(brought)
    assert f'{APP}:v1' in brought.names()


def test_a_pin_that_an_administrator_set_after_us_stays_and_keeps_the_image(brought):
    brought.records[f'{APP}:v1']['updated'] = time.time() + 5  # the same label, written once more
    fall_out(brought)
    assert brought.labels(f'{APP}:v1')[PIN] == 'pinned'


def test_a_pin_that_somebody_set_before_us_is_left_alone(node):
    node.push(APP, 'v1', 1)
    node.pull(f'{APP}:v1', digest(1))
    for name in node.records:
        node.records[name]['labels'][PIN] = 'pinned'
    assert node.run(f'{APP}?newest=1').outcomes == {f'{APP}:v1': 'present'}
    fall_out(node)
    assert node.labels(f'{APP}:v1') == {PIN: 'pinned'}


def test_an_image_that_was_there_before_us_is_never_removed(node):
    node.push(APP, 'v1', 1)
    node.pull(f'{APP}:v1', digest(1))
    node.run(f'{APP}?newest=1')
    assert fall_out(node)[0].outcomes[f'{APP}:v1'] == 'unpinned'
    assert f'{APP}:v1' in node.names()


def test_a_roll_back_to_an_older_image_stays(node):
    words = f'{APP}?newest=1&include=v*&include=stable'
    for number, tag in enumerate(['v1', 'v2', 'v3'], 1):
        node.push(APP, tag, number)
    node.push(APP, 'stable', 1)  # ECR keeps the first push's time
    assert node.run(words, pushed=f'{APP}:stable').outcomes == {f'{APP}:stable': 'pulled'}
    for _ in range(3):
        assert node.run(words).outcomes[f'{APP}:stable'] in ('pulled', 'present')
    assert {f'{APP}:stable', f'{APP}:v3'} <= set(node.names())


@pytest.mark.parametrize('failure', ['failed', 'refused'])
def test_what_could_not_be_brought_keeps_what_the_node_has(brought, program, failure):
    brought.push(APP, 'v2', 2)
    brought.registry[f'{APP}:v2'] = program.Failure('403 Forbidden' if failure == 'failed' else 'no room', outcome=failure)
    for _ in range(3):
        assert brought.run(f'{APP}?newest=1').outcomes == {f'{APP}:v2': failure}
    assert brought.labels(f'{APP}:v1')[PIN] == 'pinned'


def test_an_image_of_another_architecture_is_skipped_and_never_replaces_ours(brought):
    brought.push(APP, 'v1-other', 2)
    brought.architectures[digest(2)] = 's390x'
    first = brought.run(f'{APP}?newest=1')
    assert first.outcomes == {f'{APP}:v1-other': 'skipped', f'{APP}:v1': 'present'}
    assert 'it is for linux/s390x' in first.reason(f'{APP}:v1-other') and first.code == 0
    pulls = brought.calls.count('runtime.v1.ImageService/PullImage')
    assert brought.run(f'{APP}?newest=1').outcomes == {f'{APP}:v1-other': 'skipped', f'{APP}:v1': 'present'}
    assert brought.calls.count('runtime.v1.ImageService/PullImage') == pulls
    assert brought.names() == [f'{APP}:v1', f'{APP}@{digest(1)}']


def test_a_new_node_gets_the_newest_that_it_can_run(node):
    for number, tag in enumerate(['v1-mine', 'v1-other', 'v2-mine', 'v2-other'], 1):
        node.push(APP, tag, number)
        node.architectures[digest(number)] = 's390x' if 'other' in tag else node.machine
    assert node.run(f'{APP}?newest=1').outcomes == {f'{APP}:v2-other': 'skipped', f'{APP}:v2-mine': 'pulled'}


@pytest.mark.parametrize('word', [f'{APP}?newest=1', f'{APP}:v2'])
def test_an_index_without_our_platform_is_skipped_with_a_word(brought, program, word):
    brought.push(APP, 'v2', 2)
    brought.registry[f'{APP}:v2'] = program.Failure('no match for platform in manifest sha256:1: not found', 5)
    for _ in range(2):
        ran = brought.run(word)
        assert ran.outcomes[f'{APP}:v2'] == 'skipped' and ran.code == 0
        assert 'cannot run it' in ran.reason(f'{APP}:v2')


def test_an_artifact_is_skipped(brought):
    brought.push(APP, 'chart', 2, artifactMediaType='application/vnd.cncf.helm.config.v1+json')
    assert brought.run(f'{APP}?newest=1').outcomes == {f'{APP}:v1': 'present'}
    ran = brought.run(f'{APP}?newest=1', pushed=f'{APP}:chart')
    assert ran.outcomes == {f'{APP}:chart': 'skipped'} and ran.code == 0


def test_one_image_by_another_spelling_is_pinned_under_the_name_the_node_has(node):
    node.registry['docker.io/library/nginx:1'] = digest(1)
    assert node.run('index.docker.io/nginx:1').outcomes == {'docker.io/library/nginx:1': 'pulled'}
    assert node.labels('docker.io/library/nginx:1')[PIN] == 'pinned'


def test_two_prefetchers_share_a_pin(brought):
    brought.run(f'{APP}:v1', Owner='two')
    fall_out(brought)
    assert brought.labels(f'{APP}:v1')[PIN] == 'pinned' and f'{APP}:v1' in brought.names()
    brought.run(Owner='two')
    assert PIN not in brought.labels(f'{APP}:v1')


def test_drawn_nodes_lose_only_what_the_rule_lets_go(program):
    """The rule as it is written, against a plain reading of it."""
    draw = random.Random(SEED)
    print(f'CLEAN_UP_SEED={SEED}')
    gone = 0
    for _ in range(20_000):
        records = []
        for number in range(draw.randint(1, 4)):
            labels = {}
            for owner in 'ab':
                mark = draw.choice([None, 'released', 'released', 'newest', 'fixed+pinned', 'newest+pinned'])
                labels.update({OWNER + owner: mark} if mark else {})
            labels.update({BROUGHT: 'true'} if draw.random() < 0.8 else {})
            labels.update({PIN: 'pinned'} if draw.random() < 0.15 else {})
            if draw.random() < 0.5:
                labels = {OWNER + 'a': 'released', BROUGHT: 'true'}
            name = f'h.io/r{draw.randint(1, 2)}' + (f'@{digest(1)}' if draw.random() < 0.5 else f':t{number}')
            records.append(program.Record(name, digest(1), labels, 0.0, {}) if draw.random() < 0.95 else None)
        names = {one.name for one in records if one} | {'sha256:id'} | ({'h.io/nobodys:x'} if None in records else set())
        used = {name for name in names if draw.random() < 0.05}
        wanted = {name for name in names if draw.random() < 0.05}
        kept = {'h.io/r1'} if draw.random() < 0.1 else set()
        expected = not used and not wanted and None not in records
        for one in filter(None, records):
            marks = [value for key, value in one.labels.items() if key.startswith(OWNER)]
            expected &= bool(marks) and all(mark == 'released' for mark in marks) and PIN not in one.labels
            expected &= '@' not in one.name or BROUGHT in one.labels
            expected &= program.repository_of(one.name) not in kept
        expected &= any('@' in one.name for one in records if one)
        assert program.may_go(records, names, used, wanted, kept) is bool(expected), (SEED, records, used, wanted, kept)
        gone += bool(expected)
    assert gone > 500


def test_drawn_lives_of_a_node_never_lose_what_is_not_ours(program, node):
    """Runs, pushes, the kubelet's pulls, ctr's names, pins and containers in any order."""
    draw = random.Random(SEED)
    print(f'CLEAN_UP_SEED={SEED}')
    number = 0
    for _ in range(120):
        step = draw.randrange(7)
        names = [name for name in node.names() if '@' not in name]
        if step == 0 or not names:
            number += 1
            node.push(APP, f'v{number}', number)
            if draw.random() < 0.3:
                node.push(APP, 'stable', draw.randint(1, number))
        elif step == 1:
            name = draw.choice(list(node.registry))
            node.pull(name, node.registry[name])
            node.records[name]['labels'], node.records[name]['theirs'] = {}, True
        elif step == 2:
            node.bring(f'example.com/mine:{number}', node.records[draw.choice(names)]['digest'])
        elif step == 3:
            node.containers = draw.sample(names, min(len(names), 2))
        elif step == 4:
            node.ctr_containers = draw.sample(names, min(len(names), 1))
        else:
            protected = set(node.containers) | set(node.ctr_containers) | {
                name for name, one in node.records.items() if one.get('theirs') or name.startswith('example.com')}
            digests = {node.records[name]['digest'] for name in protected if name in node.records}
            before = {name for name, one in node.records.items() if one['digest'] in digests}
            node.run(f'{APP}?newest={draw.randint(1, 3)}&include=v*&include=stable')
            assert before <= set(node.records), (SEED, before - set(node.records))


# ---- Records as nobody expects them ----

WRITTEN = 'cdk-eks-image-prefetcher/written'


@pytest.mark.parametrize('written', [
    'garbage', 'nan', 'inf', '-1.0', '1e999', '12', '0x1p3', '١.٢', ' ', '9' * 400 + '.0', 'True', '1_0.0',
])
def test_a_mark_of_time_that_is_none_of_ours_means_somebody_else_pinned_it(brought, written):
    for name in f'{APP}:v1', f'{APP}@{digest(1)}':
        brought.records[name]['labels'][WRITTEN] = written
    for number, ran in enumerate([brought.run(f'{APP}?newest=1', seconds=5), *fall_out(brought)]):
        assert (ran.code, ran.summary.get('error')) == (0, None) and 'reason' not in ran.lines[0], number
    assert f'{APP}:v1' in brought.names()


@pytest.mark.parametrize('name', [
    '', 'nginx', 'nginx:latest', f'{APP}:v9@{digest(9)}', f'{APP}@', '@', ':', '/', f'{APP}:', 'a b', '\0', 'é' * 300,
])
def test_a_name_in_an_odd_form_costs_no_other(brought, name):
    brought.bring(name, digest(9), {OWNER + 'one': 'newest+pinned', PIN: 'pinned', OWNER + 'two': 'released', OWNER: '',
                                    WRITTEN: '1.0'})
    ran = fall_out(brought)[-1]
    assert ran.outcomes[f'{APP}:v2'] == 'present' and f'{APP}:v1' not in brought.names()


def test_a_record_without_a_target_costs_no_other(brought, monkeypatch):
    listed = brought.images_v1_Images_List
    monkeypatch.setattr(brought, 'images_v1_Images_List', lambda sent, watch: dict(
        images=[dict(name='quay.io/half:v1', labels=[dict(key=OWNER + 'two', value='newest')]), *listed(sent, watch)['images']]))
    assert fall_out(brought)[-1].code == 0
    assert f'{APP}:v1' not in brought.names()


@pytest.mark.parametrize('call', ['images_v1_Images_Update', 'ImageService_RemoveImage'])
def test_an_image_that_cannot_be_let_go_of_or_removed_is_named_and_costs_no_other(program, brought, monkeypatch, call):
    other = f'{HOST}/other'
    brought.push(other, 'v1', 7)
    brought.run(f'{APP}?newest=1', f'{other}?newest=1')
    work, refused = getattr(brought, call), []

    def refuse(sent, watch):
        image = sent['image'][0]
        if (image.get('name') or image['image'])[0] in (f'{APP}:v1', f'{APP}@{digest(1)}', brought.image_id(digest(1))):
            refused.append(call)
            raise program.Failure('not found', 5)
        return work(sent, watch)

    brought.push(APP, 'v2', 2)
    brought.push(other, 'v2', 8)
    monkeypatch.setattr(brought, call, refuse)
    runs = [brought.run(f'{APP}?newest=1', f'{other}?newest=1') for _ in range(3)]
    assert refused and any(line['outcome'] == 'failed' and line['image'].startswith(APP) for ran in runs for line in ran.lines)
    assert not any('error' in ran.summary for ran in runs)
    assert f'{other}:v1' not in brought.names()
