"""The shape of the code: documented, tested, and in small pieces."""

import ast
import pathlib

import pytest

REPOSITORY = pathlib.Path(__file__).parents[1]
PACKAGE = REPOSITORY / 'gemb'
TESTS = REPOSITORY / 'tests'
MODULES = sorted(PACKAGE.rglob('*.py'))

# Longest functions and files, in lines.
FUNCTION, FILE = 60, 350
LONGER = {'loop.py': {'train': 150}}  # the whole story of a run, top to bottom

# Tested elsewhere, for a reason.
NO_TEST_OF_THEIR_OWN = {
  'types.py': 'holds declarations alone',
  'config_tree.py': 'a part of config.py, tested with it',
  'config_values.py': 'a part of config.py, tested with it',
  **{
    f'commands/{name}.py': 'tested through the command line in main_test.py'
    for name in (
      'arguments',
      'data',
      'judging',
      'teaching',
      'training',
      'using',
    )
  },
  'commands/certifying.py': 'tested in certify/command_test.py',
  'commands/launching.py': 'tested in launch/job_test.py',
  'sweep/showing.py': 'tested in sweep/command_test.py',
  'commands/sweeping.py': 'tested in sweep/command_test.py',
  'commands/mining.py': 'tested in curation/mining_command_test.py',
  'commands/scoring.py': 'tested in curation/filtering_test.py',
  'commands/mixing.py': 'tested in mixing/command_test.py',
  'commands/planning.py': 'tested in plan/command_test.py',
  'commands/synthesizing.py': 'tested in curation/synthesis/command_test.py',
  'commands/souping.py': 'tested in soup/making_test.py',
  'evaluation.py': 'tested through `gemb evaluate` in main_test.py',
  'evals/plot_style.py': 'tested through the plots',
  'data/contamination/settings.py': 'holds numbers alone, measured in '
  'data/contamination/index_test.py',
  **{
    f'tracking/{name}.py': 'tested with its fellow in tracking/opening_test.py'
    for name in ('mlflow_run', 'wandb_run')
  },
  'data/preprocessors.py': 'tested in a Task, in data/tasks_test.py',
  **{
    f'data/corpora/{name}.py': 'tested with its fellows in corpora_test.py'
    for name in (
      'building',
      'catalogues',
      'conversations',
      'docstrings',
      'home_assistant',
      'services',
      'short_phrases',
      'tables',
    )
  },
}


def name(path):
  return path.relative_to(PACKAGE).as_posix()


def functions(path):
  tree = ast.parse(path.read_text(encoding='utf-8'))
  kinds = ast.FunctionDef | ast.AsyncFunctionDef
  return [node for node in ast.walk(tree) if isinstance(node, kinds)]


@pytest.mark.parametrize('path', MODULES, ids=name)
def test_every_module_says_what_it_is_for(path):
  docstring = ast.get_docstring(ast.parse(path.read_text(encoding='utf-8')))
  assert docstring and docstring.splitlines()[0].endswith(('.', '?'))


@pytest.mark.parametrize('path', MODULES, ids=name)
def test_every_module_has_a_test_that_mirrors_it(path):
  if path.name.startswith('__'):
    return
  mirror = TESTS / path.relative_to(PACKAGE).with_name(f'{path.stem}_test.py')
  assert mirror.is_file() != (name(path) in NO_TEST_OF_THEIR_OWN)


def test_the_exceptions_are_modules():
  assert NO_TEST_OF_THEIR_OWN.keys() <= set(map(name, MODULES))


@pytest.mark.parametrize('path', MODULES, ids=name)
def test_files_and_functions_are_short(path):
  text = path.read_text(encoding='utf-8')
  assert len(text.splitlines()) <= FILE
  limits = LONGER.get(name(path), {})
  too_long = {
    found.name: lines
    for found in functions(path)
    if (lines := found.end_lineno - found.lineno + 1)
    > limits.get(found.name, FUNCTION)
  }
  assert not too_long


@pytest.mark.parametrize('path', MODULES, ids=name)
def test_input_is_checked_by_errors_and_not_by_assertions(path):
  tree = ast.parse(path.read_text(encoding='utf-8'))
  assert not [n.lineno for n in ast.walk(tree) if isinstance(n, ast.Assert)]


def test_no_module_is_a_drawer_for_odds_and_ends():
  drawers = {'utils.py', 'util.py', 'helpers.py', 'misc.py', 'common.py'}
  assert drawers.isdisjoint(path.name for path in MODULES)
