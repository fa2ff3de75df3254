"""What the places that carry the program ask of its text."""
import ast

from conftest import PROGRAM

SOURCE = PROGRAM.read_text(encoding='utf-8')


def test_holds_nothing_that_systems_manager_takes_for_a_parameter():
    assert '{{' not in SOURCE
    assert '}}' not in SOURCE


def test_holds_no_line_that_would_end_the_here_document_it_travels_in():
    assert not {'PROGRAM', 'SETTINGS'} & set(SOURCE.splitlines())


def test_is_python_3_9():
    ast.parse(SOURCE, feature_version=(3, 9))


def test_needs_the_standard_library_only():
    imported = {name.name.partition('.')[0] for node in ast.walk(ast.parse(SOURCE)) if isinstance(node, ast.Import)
                for name in node.names}
    imported |= {node.module.partition('.')[0] for node in ast.walk(ast.parse(SOURCE))
                 if isinstance(node, ast.ImportFrom)}
    assert imported <= {'base64', 'collections', 'concurrent', 'fcntl', 'fnmatch', 'glob', 'itertools', 'json', 'os',
                        'random', 're', 'subprocess', 'sys', 'threading', 'time', 'urllib'}


def test_leaves_the_larger_part_of_a_document_to_the_wanted_list():
    # An SSM document may have 64 KB; quotes, backslashes and line ends of the program count twice in its JSON.
    assert len(SOURCE) < 40_000


def test_never_uses_a_shell():
    for node in ast.walk(ast.parse(SOURCE)):
        if isinstance(node, ast.keyword):
            assert node.arg != 'shell'
        if isinstance(node, ast.Attribute):
            assert node.attr not in ('system', 'popen', 'getoutput')
