"""Prompts for language models: plain files beside this one, with versions.

`prompts/NAME_v1.txt` is version 1 of NAME. `{name}` stands for a value; a
brace of the text itself is doubled. A version in use is never changed: rows and
caches are told apart by it.
"""

import dataclasses
import functools
import pathlib
import string

_FOLDER = pathlib.Path(__file__).parent / 'prompts'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prompt:
  """A versioned prompt.

  Attributes:
    name: with the version, as in 'grade_v1'.
    text: with `{name}` for each value.
  """

  name: str
  text: str

  @property
  def fields(self) -> frozenset[str]:
    """The names of its values."""
    parsed = string.Formatter().parse(self.text)
    return frozenset(field for _, field, _, _ in parsed if field)

  def fill(self, **values: str) -> str:
    """Returns the text with its values.

    Raises:
      ValueError: if there are others than it has.
    """
    if values.keys() != self.fields:
      raise ValueError(
        f'Prompt {self.name} has the values {sorted(self.fields)}, and got '
        f'{sorted(values)}.'
      )
    return self.text.format_map(values)


@functools.cache
def load(name: str) -> Prompt:
  """Reads a prompt.

  Args:
    name: with its version, as in 'grade_v1'.

  Raises:
    ValueError: if there is none.
  """
  path = _FOLDER / f'{name}.txt'
  if not path.is_file():
    known = sorted(found.stem for found in _FOLDER.glob('*.txt'))
    raise ValueError(
      f'There is no prompt {name!r}; choose one of {", ".join(known)}.'
    )
  return Prompt(name=name, text=path.read_text(encoding='utf-8').rstrip('\n'))
