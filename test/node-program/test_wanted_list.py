"""Which images are wanted: on a push, and out of what ECR lists."""
import pytest

HOST = '123456789012.dkr.ecr.us-east-1.amazonaws.com'
OCI = 'application/vnd.oci.image.manifest.v1+json'


def detail(number, *tags, **more):
    return dict(imageDigest=f'sha256:{number:064x}', imageTags=list(tags), imagePushedAt=f'2026-01-01T00:{number:04}',
                imageSizeInBytes=number, imageManifestMediaType=OCI, **more)


def newest(program, word, details):
    selection = program.selections([f'{HOST}/app?{word}'])[0]
    return [tags for _, tags in selection.newest(details)]


@pytest.mark.parametrize('filter_, tag, expected', [
    ('', 'anything', True),
    ('', 'sha256-0123.sig', False),
    ('&include=sha256-*', 'sha256-0123.sig', False),
    ('&include=v1', 'v1', True),
    ('&include=v1', 'v10', False),
    ('&include=v1', 'V1', False),
    ('&include=v*', 'v', True),
    ('&include=*-prod', 'v1-prod', True),
    ('&include=*-prod', 'prod', False),
    ('&include=v*-prod', 'v-prod', True),
    ('&include=v*-prod', 'v-pro', False),
    ('&include=a*a', 'a', False),
    ('&include=a*b*c', 'axxbxxc', True),
    ('&include=a*b*c', 'axxcxxb', False),
    ('&include=v.1', 'vx1', False),
    ('&include=v*&include=r*', 'r1', True),
    ('&include=v*&exclude=*-rc', 'v1-rc', False),
    ('&include=v*&exclude=*-rc', 'v1', True),
    ('&exclude=latest', 'latest', False),
    ('&exclude=latest', 'latest2', True),
    ('&exclude=a&exclude=b', 'b', False),
])
def test_a_pushed_tag(program, filter_, tag, expected):
    assert program.wanted([f'{HOST}/app,team/two?newest=1{filter_}'], f'{HOST}/team/two:{tag}') is expected


def test_a_push_of_another_repository_account_or_region_is_not_wanted(program):
    words = [f'{HOST}/app?newest=1', f'{HOST}/fixed:v1']
    assert program.wanted(words, f'{HOST}/app:x')
    assert program.wanted(words, f'{HOST}/fixed:v1')
    assert not program.wanted(words, f'{HOST}/fixed:v2')
    assert not program.wanted(words, f'{HOST}/app2:x')
    assert not program.wanted(words, f'{HOST}/team/app:x')
    assert not program.wanted(words, f'{HOST.replace("1234", "4321", 1)}/app:x')
    assert not program.wanted(words, f'{HOST.replace("east", "west")}/app:x')
    assert not program.wanted([], f'{HOST}/app:x')


def test_a_push_is_known_by_every_host_name_of_the_registry(program):
    dual_stack = HOST.replace('.dkr.ecr.', '.dkr-ecr.').replace('.amazonaws.com', '.on.aws')
    words = [f'{dual_stack}/app:v1', f'{HOST}/app?newest=1', f'{HOST.replace("1234", "4321", 1)}/app:v1']
    assert program.arrivals(words, f'{HOST}/app:v1') == [f'{HOST}/app:v1', f'{dual_stack}/app:v1']
    assert program.arrivals(words[:1], f'{HOST}/app:v1') == [f'{dual_stack}/app:v1']
    assert program.arrivals(words[:1], f'{HOST}/app:v2') == []


def test_the_newest_images_are_those_pushed_last_whatever_the_order_of_the_listing(program):
    details = [detail(3, 'c'), detail(9, 'i'), detail(5, 'e'), detail(7, 'g')]
    assert newest(program, 'newest=2', details) == [['i'], ['g']]
    assert newest(program, 'newest=2', details[::-1]) == [['i'], ['g']]


def test_hundreds_of_images(program):
    details = [detail(number, f'v{number}') for number in range(450)]
    assert newest(program, 'newest=3', details) == [['v449'], ['v448'], ['v447']]
    assert newest(program, 'newest=2&include=v1*', details) == [['v199'], ['v198']]


def test_every_wanted_tag_of_an_image_counts_as_one_image(program):
    details = [detail(1, 'v1'), detail(2, 'v2', 'latest', 'sha256-x.sig', 'debug')]
    assert newest(program, 'newest=2&exclude=debug', details) == [['latest', 'v2'], ['v1']]


def test_untagged_and_unmatched_images_do_not_take_a_place(program):
    untagged = detail(8)
    del untagged['imageTags']
    details = [detail(1, 'v1'), untagged, detail(9), detail(7, 'test')]
    assert newest(program, 'newest=1&include=v*', details) == [['v1']]


@pytest.mark.parametrize('manifest, artifact, expected', [
    (OCI, 'application/vnd.oci.image.config.v1+json', True),
    (OCI, 'application/vnd.docker.container.image.v1+json', True),
    (OCI, None, True),
    ('application/vnd.oci.image.index.v1+json', None, True),
    ('application/vnd.docker.distribution.manifest.v2+json', 'application/vnd.docker.container.image.v1+json', True),
    ('application/vnd.docker.distribution.manifest.list.v2+json', None, True),
    (OCI, 'application/vnd.cncf.helm.config.v1+json', False),
    (OCI, 'application/vnd.amazon.soci.index.v1+json', False),
    (OCI, 'application/vnd.oci.empty.v1+json', False),
    (OCI, 'application/spdx+json', False),
    ('application/vnd.docker.plugin.v1+json', None, False),
    ('application/vnd.oci.artifact.manifest.v1+json', None, False),
])
def test_only_container_images(program, manifest, artifact, expected):
    one = detail(2, 'v2', artifactMediaType=artifact)
    one['imageManifestMediaType'] = manifest
    assert newest(program, 'newest=1', [detail(1, 'v1'), one]) == [['v2'] if expected else ['v1']]


def test_images_of_the_same_moment_are_ordered_alike_on_every_node(program):
    details = [detail(1, 'a'), detail(2, 'b')]
    for one in details:
        one['imagePushedAt'] = 1795439011.0
    assert newest(program, 'newest=1', details) == newest(program, 'newest=1', details[::-1])


@pytest.fixture
def ecr(program, run, monkeypatch):
    """ECR as a table: repository -> details or what it fails with; records what it was asked."""
    class Ecr:
        def __init__(self):
            self.repositories, self.asked, self.on_node = {}, [], {}

        def describe(self, _, repository, *selection):
            self.asked.append((repository.partition('/')[2], *selection))
            answer = self.repositories.get(repository.partition('/')[2], 'RepositoryNotFoundException')
            if isinstance(answer, str):
                raise program.Failure(answer)
            if selection[0] == '--filter':
                return answer
            kind, _, value = selection[1].partition('=')
            found = [one for one in answer
                     if value in (one['imageTags'] if kind == 'imageTag' else [one['imageDigest']])]
            if not found:
                raise program.Failure('ImageNotFoundException')
            return found

    one = Ecr()
    monkeypatch.setattr(program, 'describe_images', one.describe)
    monkeypatch.setattr(program, 'image_status', lambda _, reference: one.on_node.get(reference))
    return one


def test_the_list_keeps_the_order_of_the_words_and_fixed_wins(program, run, ecr):
    ecr.repositories = dict(app=[detail(1, 'v1'), detail(2, 'v2', 'latest')], two=[detail(3, 'x')])
    run.words = [f'{HOST}/two?newest=1', f'{HOST}/app?newest=1', f'{HOST}/app:v1', f'{HOST}/app:latest']
    images = program.list_wanted(run)
    assert [(one.reference.partition('/')[2], one.source, one.size) for one in images] == [
        ('two:x', 'newest', 3), ('app:latest', 'fixed', 2), ('app:v2', 'newest', 2), ('app:v1', 'fixed', 1)]
    assert sorted(ecr.asked) == [('app', '--filter', 'tagStatus=TAGGED'), ('two', '--filter', 'tagStatus=TAGGED')]


def test_a_digest_that_is_there_needs_no_network(program, run, ecr):
    reference = f'{HOST}/app@sha256:{1:064x}'
    ecr.on_node[reference] = ([reference], 5)
    run.words = [reference]
    assert program.list_wanted(run)[0].current()
    assert ecr.asked == []


def test_a_push_asks_for_its_own_tag_only(program, run, ecr):
    ecr.repositories = dict(app=[detail(1, 'v1'), detail(2, 'v2')])
    run.words, run.pushed = [f'{HOST}/app?newest=1', f'{HOST}/two:v1'], f'{HOST}/app:v1'
    images = program.list_wanted(run)
    assert [(one.reference, one.digest) for one in images] == [(f'{HOST}/app:v1', f'sha256:{1:064x}')]
    assert ecr.asked == [('app', '--image-ids', 'imageTag=v1')]


def test_a_deleted_repository_wants_nothing_and_harms_nobody(program, run, ecr, capsys):
    ecr.repositories = dict(app=[detail(1, 'v1')])
    run.words = [f'{HOST}/gone,app?newest=1']
    assert [one.reference for one in program.list_wanted(run)] == [f'{HOST}/app:v1']
    assert run.counts == dict(skipped=1) and not run.unlisted
    assert 'does not exist' in capsys.readouterr().out


def test_a_repository_that_cannot_be_listed_is_a_failure_and_remembered(program, run, ecr):
    ecr.repositories = dict(app='An error occurred (ThrottlingException): Rate exceeded')
    run.words = [f'{HOST}/app?newest=1']
    assert program.list_wanted(run) == []
    assert len(ecr.asked) == 7
    assert run.counts == dict(failed=1) and run.unlisted == {f'{HOST}/app'}


def test_denied_is_not_tried_again(program, run, ecr):
    ecr.repositories = dict(app='An error occurred (AccessDeniedException)')
    run.words = [f'{HOST}/app?newest=1']
    program.list_wanted(run)
    assert len(ecr.asked) == 1


def test_the_denied_action_is_named(program, run, monkeypatch):
    monkeypatch.setattr(program, 'call', lambda *_, **__: (254, b'', 'An error occurred (AccessDeniedException)'))
    with pytest.raises(program.Failure, match='ecr:DescribeImages'):
        program.describe_images(run, f'{HOST}/app')


def test_a_fixed_tag_that_is_gone_or_no_image_says_so(program, run, ecr):
    ecr.repositories = dict(app=[detail(1, 'chart', artifactMediaType='application/vnd.cncf.helm.config.v1+json')])
    run.words = [f'{HOST}/app:gone', f'{HOST}/app:chart', f'{HOST}/none:v1']
    assert [one.gone for one in program.list_wanted(run)] == [
        'it is not in ECR (any more)', 'it is not a container image', 'it is not in ECR (any more)']


def test_a_fixed_tag_ecr_will_not_describe_is_left_to_the_pull(program, run, ecr):
    ecr.repositories = dict(app='An error occurred (AccessDeniedException)')
    run.words = [f'{HOST}/app:v1']
    assert [(one.gone, one.digest) for one in program.list_wanted(run)] == [('', None)]
