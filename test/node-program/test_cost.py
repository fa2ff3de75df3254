"""What a run costs: requests, pulls, memory; and the disk that it may not fill."""
import collections
import random
import subprocess
import sys

import pytest
from conftest import ASSETS, BROUGHT, HOST, PIN, digest

APP = f'{HOST}/app'


def test_a_reconcile_with_nothing_to_do_asks_each_repository_once(node):
    words = []
    for repository in range(10):
        for tag in range(3):
            node.push(f'{HOST}/r{repository}', f'v{tag}', 10 * repository + tag + 1)
            words.append(f'{HOST}/r{repository}:v{tag}')
        for number in range(2):
            name = f'{HOST}/r{repository}@{digest(1000 + 10 * repository + number)}'
            node.registry[name] = name.partition('@')[2]
            words.append(name)
    assert node.run(*words).code == 0
    node.asked.clear()
    node.calls.clear()
    ran = node.run(*words)
    assert set(ran.outcomes.values()) == {'present'} and len(ran.outcomes) == 50
    assert len(node.asked) == 10 and len(node.calls) <= 5


def test_tags_that_are_gone_do_not_keep_the_others_from_being_known(node):
    for number in range(1, 31):
        node.push(APP, f'v{number}', number)
    node.details[APP] = [one for one in node.details[APP] if one['imageDigest'] not in (digest(3), digest(17))]
    del node.registry[f'{APP}:v3'], node.registry[f'{APP}:v17']
    ran = node.run(*[f'{APP}:v{number}' for number in range(1, 31)])
    assert {name for name, outcome in ran.outcomes.items() if outcome != 'pulled'} == {f'{APP}:v3', f'{APP}:v17'}
    assert ran.outcomes[f'{APP}:v3'] == 'skipped' and 'not in ECR' in ran.reason(f'{APP}:v3') and ran.code == 1


def test_many_tags_of_one_image_are_one_pull(node):
    for number in range(300):
        node.push(APP, f'v{number}', 1)
    ran = node.run(f'{APP}?newest=1')
    assert set(ran.outcomes.values()) == {'pulled'} and len(ran.outcomes) == 300
    assert node.calls.count('runtime.v1.ImageService/PullImage') == 1
    assert all(PIN in node.labels(f'{APP}:v{number}') for number in range(300))
    assert all(node.labels(f'{APP}:v{number}')[BROUGHT] == 'true' for number in range(300))


@pytest.mark.parametrize('words', [[f'{APP}?newest=1'], [f'{APP}:v{number}' for number in range(300)]], ids=['newest', 'fixed'])
def test_many_tags_of_one_image_are_written_one_call_each_and_looked_at_together(node, words):
    for number in range(300):
        node.push(APP, f'v{number}', 1)
    ran = node.run(*words)
    assert set(ran.outcomes.values()) == {'pulled'} and len(ran.outcomes) == 300
    calls = collections.Counter(node.calls)
    assert calls.pop('containerd.services.images.v1.Images/Create') == 299
    assert sum(calls.values()) <= 20, calls


def late(node, names, looks):
    """The CRI takes these names over only after so many looks; the answer counts them."""
    inner, seen = node.ImageService_ListImages, []

    def listed(sent, watch):
        seen.append(1)
        hidden = names if len(seen) <= looks else []
        return dict(images=[dict(one, repo_tags=[tag for tag in one['repo_tags'] if tag not in hidden])
                            for one in inner(sent, watch)['images']])

    node.ImageService_ListImages = listed
    return seen


def test_tags_that_the_cri_takes_over_late_are_waited_for(node):
    for number in range(10):
        node.push(APP, f'v{number}', 1)
    late(node, [f'{APP}:v{number}' for number in range(5, 10)], 4)
    ran = node.run(f'{APP}?newest=1')
    assert set(ran.outcomes.values()) == {'pulled'} and node.calls.count('runtime.v1.ImageService/PullImage') == 1


def test_a_tag_that_the_cri_never_takes_over_is_pulled(program, node, monkeypatch):
    monkeypatch.setattr(program.STOPPED, 'wait', lambda seconds: False)
    for number in range(10):
        node.push(APP, f'v{number}', 1)
    seen = late(node, [f'{APP}:v7'], 10 ** 9)
    pulls = []
    node.before_pull = pulls.append
    ran = node.run(f'{APP}?newest=1')
    assert set(ran.outcomes.values()) == {'pulled'} and len(ran.outcomes) == 10
    assert len(pulls) == 2 and f'{APP}:v7' in pulls and len(seen) <= 25


def test_tags_that_are_there_of_another_image_are_moved_by_pulls_and_the_others_are_written(node):
    for number in range(10):
        node.push(APP, f'v{number}', 1 + number % 2)
    node.run(f'{APP}?newest=2')
    for number in range(10):
        node.push(APP, f'v{number}', 3)
    for number in range(10, 20):
        node.push(APP, f'v{number}', 3)
    node.calls.clear()
    ran = node.run(f'{APP}?newest=1')
    assert all(ran.outcomes[f'{APP}:v{number}'] == 'pulled' for number in range(20))
    assert all(node.records[f'{APP}:v{number}']['digest'] == digest(3) for number in range(20))
    assert node.calls.count('runtime.v1.ImageService/PullImage') <= 11


def test_a_tag_that_moves_to_an_image_that_is_there_is_moved_by_a_pull(node):
    node.push(APP, 'v1', 1)
    node.push(APP, 'latest', 1)
    node.run(f'{APP}?newest=2')
    node.push(APP, 'v2', 2)
    node.push(APP, 'latest', 2)
    assert node.run(f'{APP}?newest=2').outcomes[f'{APP}:latest'] == 'pulled'
    assert node.records[f'{APP}:latest']['digest'] == digest(2)


def test_a_listing_is_read_in_pages_of_a_thousand(node):
    for number in range(1, 2501):
        node.push(f'{HOST}/big{number % 2}', f'v{number}', number)
    assert len(node.run(f'{HOST}/big1?newest=2').outcomes) == 2
    assert [question.get('maxResults') for _, question in node.asked] == [1000, 1000]


def test_a_listing_of_12000_images_takes_little_memory():
    script = f'''
import importlib.util, json, re, sys
spec = importlib.util.spec_from_file_location('image_prefetcher', {str(ASSETS / 'image_prefetcher.py')!r})
program = importlib.util.module_from_spec(spec)
sys.modules['image_prefetcher'] = program
spec.loader.exec_module(program)
selection, found = program.parse_word('{APP}?newest=3'), []
for page in range(12):
    body = json.dumps(dict(imageDetails=[dict(imageDigest='sha256:%064x' % (page * 1000 + one), imageTags=['v%d' % one],
        imagePushedAt=1.0 * (page * 7919 + one * 104729 % 65521), imageSizeInBytes=10 ** 9,
        imageManifestMediaType='application/vnd.oci.image.manifest.v1+json', registryId='123456789012',
        repositoryName='app', lastRecordedPullTime=1.0) for one in range(1000)])).encode()
    found = program.newest(selection, program.parse_json(body)['imageDetails'], found)
assert len(found) == 13
print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])
'''
    used = int(subprocess.run([sys.executable, '-c', script], capture_output=True, text=True, check=True).stdout)
    print('peak', used, 'KiB')
    assert used < 40 * 1024


def test_the_newest_by_time_of_push_and_literal_tags(program):
    def detail(number, *tags, **more):
        return dict(imageDigest=digest(number), imageTags=list(tags), imagePushedAt=1e9 + number, **more)

    selection = program.parse_word(f'{APP}?newest=1&include=v*&include=stable')
    details = [detail(2, 'v2'), detail(9, 'v9', 'x'), detail(1, 'stable', 'v1'), detail(10, 'nightly'),
               detail(11, 'v11', imageStatus='ARCHIVED'), detail(12, 'v12', artifactMediaType='application/vnd.cncf.helm')]
    for page in details, details[::-1]:
        ranked = program.newest(selection, page)
        assert [one.tags for one in ranked] == [('v9',), ('v2',), ('stable', 'v1')]


# ---- The disk ----

def test_what_the_node_has_does_not_count_against_the_room(node):
    node.push(APP, 'v1', 500 * 2 ** 20)
    node.room = 20 * 2 ** 20  # a rebuild that adds little to what is there; the disk is small
    assert node.run(f'{APP}?newest=1').outcomes == {f'{APP}:v1': 'pulled'}


def test_nothing_is_begun_past_the_threshold(node):
    node.push(APP, 'v1', 1)
    node.room = -1
    ran = node.run(f'{APP}?newest=1')
    assert ran.outcomes == {f'{APP}:v1': 'refused'} and 'MaxDiskUsage is 75%' in ran.reason(f'{APP}:v1') and ran.code == 1
    assert 'runtime.v1.ImageService/PullImage' not in node.calls


def fills(program, node, names, to=-1.0):
    """A pull of these images fills the disk."""
    inner = type(node).ImageService_PullImage

    def pull(sent, watch):
        if sent['image'][0]['image'][0] in names and node.room < 10 ** 9:
            node.room = to
            try:
                watch()
            finally:
                node.room = 10.0 ** 6
        return inner(node, sent, watch)

    node.ImageService_PullImage = pull


def test_a_pull_that_fills_the_disk_is_stopped_and_not_begun_again_without_more_room(program, node):
    node.push(APP, 'v1', 1)
    node.room = 10.0 ** 6
    fills(program, node, [f'{APP}:v1'])
    assert node.run(f'{APP}?newest=1').outcomes == {f'{APP}:v1': 'refused'}
    node.calls.clear()
    ran = node.run(f'{APP}?newest=1')
    assert ran.outcomes == {f'{APP}:v1': 'refused'} and 'an earlier pull was stopped' in ran.reason(f'{APP}:v1')
    assert 'runtime.v1.ImageService/PullImage' not in node.calls
    node.room = 10.0 ** 10
    assert node.run(f'{APP}?newest=1').outcomes == {f'{APP}:v1': 'pulled'}


class Filling:
    """A disk that is written to in bursts, by turns slow and fast, on a machine where looks at it come late."""

    def __init__(self, program, node, monkeypatch, draw):
        self.now, self.draw = 100.0, draw
        self.disk = program.Disk('/', node.parameters(), 100)
        monkeypatch.setattr(program.time, 'monotonic', lambda: self.now)
        monkeypatch.setattr(program.Disk, 'room', lambda _: self.left)

    def pull(self, size, room):
        """The least room there was, and the room at which the pull was stopped, if it was."""
        self.left, stopped_at, end, late = room, None, float('inf'), self.draw.uniform(0, 0.005)
        rate, until, due, looks = 0, 0, self.now, self.now
        self.disk.looks.clear()
        while size > 0 and self.now < end:
            self.now += 0.001
            if self.now > until:
                rate, until = 10 ** self.draw.uniform(7, 9), self.now + self.draw.uniform(0.05, 2)
            written = min(size, rate * 0.001)
            size, self.left = size - written, self.left - written
            if self.now >= looks and stopped_at is None:
                full, pause = self.disk.look(max(0, self.now - due))
                due = self.now + pause
                looks = due + late * self.draw.uniform(0.3, 1)
                if full:
                    stopped_at, end = self.left, self.now + 0.01
        return self.left, stopped_at


def test_no_pull_goes_past_the_threshold_and_none_is_stopped_that_would_have_fitted(program, node, monkeypatch):
    seed = random.randrange(10 ** 9)
    print(f'seed {seed}')
    filling = Filling(program, node, monkeypatch, random.Random(seed))
    for _ in range(200):
        room = 10 ** filling.draw.uniform(8, 9.5)
        least, stopped_at = filling.pull(2 * room, room)
        # One look in the dark, when it grows a hundred times as fast all at once.
        assert stopped_at is not None and least > -0.01 * 10 ** 9, (seed, room, least)
        # A tenth of a second of the fastest burst is all that is kept free.
        assert filling.pull(room - 10 ** 8, room)[1] is None, (seed, room)


def test_the_kubelets_threshold_counts_when_it_is_lower_and_is_said(program, node, tmp_path):
    disk = program.Disk(str(tmp_path), node.parameters(MaxDiskUsage='75'), 39)
    assert disk.limit == 39 and 'the kubelet deletes images from 40% on (imageGCHighThresholdPercent)' in disk.words()
    assert program.Disk(str(tmp_path), node.parameters(MaxDiskUsage='30'), 39).limit == 30


@pytest.mark.parametrize('blocks, inodes, past', [(50, 50, False), (80, 50, True), (50, 80, True), (75, 75, False)])
def test_inodes_count_as_well(program, node, monkeypatch, blocks, inodes, past):
    monkeypatch.undo()
    figures = type('', (), dict(f_blocks=100, f_bavail=100 - blocks, f_frsize=1, f_files=100, f_favail=100 - inodes))
    monkeypatch.setattr(program.os, 'statvfs', lambda path: figures)
    assert (program.Disk('/', node.parameters(), 100).room() < 0) is past


def test_a_file_system_without_figures_ends_no_run(program, node, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(program.os, 'statvfs', lambda path: type('', (), dict.fromkeys(
        ('f_blocks', 'f_bavail', 'f_frsize', 'f_files', 'f_favail'), 0)))
    assert program.Disk('/', node.parameters(), 100).room() == 0


def test_pins_give_way_from_the_end_of_the_list_and_come_back(node):
    words = []
    for number in range(1, 5):
        node.push(f'{HOST}/r{number}', 'v1', number)
        node.sizes[digest(number)] = 100
        words.append(f'{HOST}/r{number}?newest=1')
    node.run(*words)
    node.room = -150
    ran = node.run(*words)
    assert [line['image'] for line in ran.lines if line['outcome'] == 'unpinned'] == [f'{HOST}/r4:v1', f'{HOST}/r3:v1']
    assert [PIN in node.labels(f'{HOST}/r{number}:v1') for number in range(1, 5)] == [True, True, False, False]
    assert ran.code == 0
    assert ['full' in line['reason'] for line in ran.lines if line['outcome'] == 'unpinned'] == [True, True]
    node.room = 1000
    node.run(*words)
    assert all(PIN in node.labels(f'{HOST}/r{number}:v1') for number in range(1, 5))
