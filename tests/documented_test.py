"""Every documented command is one, with the files and values that it names."""

import re
import shlex

import pytest
from documented import PAGES, REPOSITORY, documented

from gemb import config, main
from gemb.profile.window import parse_window

RUN = 'configs/run/01_prefinetune.gin'
# What the gin files of a command describe; else it is a run.
ROOTS = {
  'soup': 'Soup',
  **dict.fromkeys(('mine', 'score', 'filter', 'synthesize'), 'Curation'),
}
DOCUMENTED = {
  command: page.relative_to(REPOSITORY).as_posix()
  for page in PAGES
  for command in documented(page)
}


def resolve(command):
  """Reads all that a command says; raises on what it must not say."""
  words = shlex.split(command, comments=True)[1:]
  options = main.make_parser().parse_args(words)
  given = getattr(options, 'gin_file', None)
  if not given:
    return
  root = ROOTS.get(words[0], 'Run')
  if getattr(options, 'job', None):
    root = 'Job'
  tree, _ = config.load(_there(words[0], given), options.gin, root=root)
  if getattr(options, 'profile', None):
    parse_window(options.profile, tree.steps)


def _there(name, files):
  """Returns the files without those that a reader has or makes.

  The first is a run: in its place another is read.
  """
  first, *behind = [RUN, *files] if name == 'evaluate' else files
  first = first if first.startswith('configs/') else RUN
  return [first, *(file for file in behind if file.startswith('configs/'))]


@pytest.mark.parametrize('command', DOCUMENTED, ids=DOCUMENTED.get)
def test_every_documented_command_resolves_as_it_is_written(command):
  resolve(command)


def test_every_example_of_the_help_resolves_in_one_line(capsys):
  def examples(*words):
    with pytest.raises(SystemExit):
      main.main([*words, '--help'])
    return re.findall(r'^  (gemb .*)$', capsys.readouterr().out, re.MULTILINE)

  with pytest.raises(SystemExit):
    main.main(['--help'])
  names = re.findall(r'^    (\w+)', capsys.readouterr().out, re.MULTILINE)
  names.remove('data')
  for words in ((), *((name,) for name in names), ('data', 'list')):
    (example,) = examples(*words)
    resolve(example)


def test_extras_are_those_of_the_checkout_and_of_no_package_of_the_index():
  code = [*(REPOSITORY / 'gemb').rglob('*.py'), *REPOSITORY.glob('tools/*.py')]
  for path in (*PAGES, *code):
    assert not re.search(r'[\'"]gemb\[', path.read_text()), path
