"""Asks the node program what it makes of texts: JSON lines with one of the questions below, to JSON lines with its answers."""
import importlib.util
import json
import sys

spec = importlib.util.spec_from_file_location('image_prefetcher', sys.argv[1])
program = importlib.util.module_from_spec(spec)
sys.modules['image_prefetcher'] = program
# No compiled copy beside the program.
sys.dont_write_bytecode = True
spec.loader.exec_module(program)


def wanted(question):
    """Which of the pushed images it wants."""
    words = [program.parse_word(word) for word in question['words']]
    return [bool(program.arrivals(words, reference)) for reference in question['references']]


def read(text):
    """What a fixed image is."""
    try:
        one = program.parse_word(text)
    except ValueError as error:
        return dict(error=str(error))
    if not isinstance(one, program.Reference):
        return dict(error='not a fixed image')
    ecr = program.ECR_HOST.fullmatch(one.host)
    return dict(host=one.host, path=one.path, tag=one.tag or None, digest=one.digest or None,
                ecr=dict(account=ecr[1], region=ecr[3]) if ecr else None,
                usual_provider=any(program.matches_image(pattern, text) for pattern in program.ECR_PATTERNS))


def run(question):
    """What it takes the settings and parameters of a run for."""
    try:
        parameters = program.parse_parameters(question['settings'], question['environment'], [])
    except ValueError as error:
        return dict(error=str(error))
    return dict(owner=parameters.owner, revision=parameters.revision, stale=parameters.stale, pushed=parameters.pushed,
                pushed_at=parameters.pushed_at, start_delay=parameters.start_delay, parallel=parameters.parallel,
                pin=parameters.pin, max_usage=parameters.max_usage, seconds=parameters.seconds,
                log_group=parameters.log_group, region=parameters.region,
                arrives=[str(one) for one in program.arrivals(parameters.words, parameters.pushed)] if parameters.pushed else [])


def names(_):
    return dict(settings=[*program.SETTINGS], parameters=[*program.RUN_TIME])


for line in sys.stdin:
    kind, question = json.loads(line)
    print(json.dumps(dict(wanted=wanted, read=read, run=run, names=names)[kind](question)))
