"""What the places that carry the program ask of its text."""
import ast
import re
import sys

from conftest import PROGRAM

SOURCE = PROGRAM.read_text(encoding='utf-8')


def test_holds_nothing_that_systems_manager_takes_for_a_parameter():
    # Two braces in a row: write dict() or put a space between.
    assert '{{' not in SOURCE
    assert '}}' not in SOURCE


def test_holds_no_line_that_would_end_the_here_document_it_travels_in():
    assert not {'PROGRAM', 'SETTINGS'} & set(SOURCE.splitlines())


def test_is_python_3_9():
    ast.parse(SOURCE, feature_version=(3, 9))


def test_needs_the_standard_library_only():
    imports = [node for node in ast.walk(ast.parse(SOURCE)) if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = {name.partition('.')[0] for node in imports for name in [getattr(node, 'module', None) or node.names[0].name]}
    assert len(names) > 20 and names - set(sys.stdlib_module_names) == set()
    assert all(len(node.names) == 1 for node in imports if isinstance(node, ast.Import))


def test_never_uses_a_shell():
    for node in ast.walk(ast.parse(SOURCE)):
        if isinstance(node, ast.keyword):
            assert node.arg != 'shell'
        if isinstance(node, ast.Attribute):
            assert node.attr not in ('system', 'popen', 'getoutput')


# What reads, runs, talks, writes or deletes: calls, and methods of containerd and the CRI.
DANGEROUS = re.compile(
    r'open|print|os\.(?!path\.|environ|stat|uname|_exit|fsdecode).*|subprocess\.Popen|shutil\..*|socket\..*|http\.client\..*|urllib\.request\..*|LIBC\..*'
    r'|run_command|grpc|(.*\.)?request|(Pull|Remove)Image|images\.v1\.Images/(?!List|Get).*|leases\.v1\..*')


def functions(node, name=''):
    for child in ast.iter_child_nodes(node):
        inner = f'{name}.{child.name}'.strip('.') if isinstance(child, (ast.FunctionDef, ast.ClassDef)) else name
        if isinstance(child, ast.FunctionDef):
            yield inner, child
        yield from functions(child, inner)


def dangers(function):
    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            texts = [one.value for one in node.args if isinstance(one, ast.Constant)]
            yield from filter(DANGEROUS.fullmatch, [ast.unparse(node.func), *map(str, texts)])


def test_does_what_is_dangerous_only_in_the_functions_that_its_first_lines_name():
    tree = ast.parse(SOURCE)
    named = set(re.findall(r'[\w.]+', ' '.join(re.findall(r'\(([^)]*)\)', ast.get_docstring(tree)))))
    found = {name: sorted(set(dangers(function))) for name, function in functions(tree)}
    # By its own name, its class's, or the function's that it is in.
    unnamed = {name: used for name, used in found.items()
               if used and not named & {*name.split('.'), '.'.join(name.split('.')[:2])}}
    assert unnamed == {}


def test_names_no_function_in_its_first_lines_that_is_not_there():
    tree = ast.parse(SOURCE)
    every = {part for name, _ in functions(tree) for part in (*name.split('.'), name)}
    header = ast.get_docstring(tree)
    named = re.findall(r'\b(?:[A-Z]\w+\.)?[a-z]+(?:_[a-z_]+)+\b|\b[A-Z]\w+\.\w+', header)
    assert len(named) > 20 and set(named) - every == set()
