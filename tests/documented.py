"""The commands that are documented, as readers find and copy them.

A command that is shown in a block by four spaces runs wherever gemb is
installed, and readme_test runs it. One that is shown in another way may need
what a reader has, such as a slice or a file.
"""

import pathlib
import re

REPOSITORY = pathlib.Path(__file__).parents[1]
# The guides: a README beside the code that it is about.
GUIDES = [
  REPOSITORY / 'README.md',
  *sorted((REPOSITORY / 'gemb').rglob('README.md')),
]
PAGES = [
  *GUIDES,
  *sorted((REPOSITORY / 'experiments').rglob('README.md')),
  *sorted((REPOSITORY / 'configs').rglob('*.gin')),
  *sorted((REPOSITORY / 'configs').rglob('*.yaml')),
]


def indented(page: pathlib.Path) -> list[str]:
  """Returns the commands that a page shows in blocks by four spaces."""
  return re.findall(r'^    (gemb .*)$', page.read_text(), re.MULTILINE)


def documented(page: pathlib.Path) -> list[str]:
  """Returns these and all others that are whole.

  They are fenced (some in a loop of the shell), in the text, or in a comment.
  What is elided has an ellipsis, or lacks the gin file.
  """
  text = re.sub(r'\\\n[# ]*', '', page.read_text())
  fenced = '\n'.join(re.findall(r'^```\w*\n(.*?)^```', text, re.DOTALL | re.M))
  found = [
    *indented(page),
    *re.findall(r'^#   (gemb .*)$', text, re.MULTILINE),
    *re.findall(r'^(?:until )?(gemb [^;\n]*)', fenced, re.MULTILINE),
    *re.findall(r'`(gemb [^`]*--gin_file[^`]*)`', text),
  ]
  return [
    ' '.join(command.split()) for command in found if '...' not in command
  ]
