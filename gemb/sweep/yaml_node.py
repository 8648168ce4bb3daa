"""YAML whose every value says its line, and that is what it looks like.

YAML 1.1 takes 1e-4 for a text, no for False, 010 for 8 and 2026-01-01 for a
date. All of them are refused here, with how to write what was meant.
"""

import contextlib
import dataclasses
import math
import re
from collections.abc import Iterator
from typing import Any

import yaml

_BASE = 'tag:yaml.org,2002:'
_WHOLE = re.compile(r'[-+]?(0|[1-9][0-9]*)')
_EXPONENT = re.compile(r'([-+]?)(\d*)\.?(\d*)[eE]([-+]?)(\d+)')


@dataclasses.dataclass(frozen=True, kw_only=True)
class YamlNode:
  """A value of a YAML file, and where it is.

  Attributes:
    node: PyYAML's.
    file: its name, for messages.
  """

  node: Any
  file: str

  def wrong(self, problem: str) -> ValueError:
    """Returns an error that says where it is."""
    return ValueError(f'{self.file}:{self.node.start_mark.line + 1}: {problem}')

  def items(self) -> dict[str, 'YamlNode']:
    """Returns what a mapping holds.

    Raises:
      ValueError: if it is none, or has a key twice.
    """
    if not isinstance(self.node, yaml.MappingNode):
      raise self.wrong(f'got {self._shown()}, wanted NAME: VALUE lines.')
    found: dict[str, YamlNode] = {}
    for key, value in self.node.value:
      name = self._at(key).value()
      if not isinstance(name, str):
        raise self._at(key).wrong(f'got the key {name!r}, wanted a name.')
      if name in found:
        raise self._at(key).wrong(f'{name} is given twice; keep one.')
      found[name] = self._at(value)
    return found

  def each(self) -> list['YamlNode']:
    """Returns what a list holds.

    Raises:
      ValueError: if it is none.
    """
    if not isinstance(self.node, yaml.SequenceNode):
      raise self.wrong(f'got {self._shown()}, wanted a list, [..., ...].')
    return [self._at(node) for node in self.node.value]

  def value(self) -> Any:
    """Returns the value: lists as tuples, as gemb's configs hold them.

    Raises:
      ValueError: if it is not what it looks like.
    """
    if isinstance(self.node, yaml.MappingNode):
      return {name: each.value() for name, each in self.items().items()}
    if isinstance(self.node, yaml.SequenceNode):
      return tuple(each.value() for each in self.each())
    if self.node.style is not None:  # in quotes
      return self.node.value
    return self._plain(self.node.value)

  def _plain(self, text: str) -> Any:
    """Returns what a word without quotes stands for."""
    kind = self.node.tag.removeprefix(_BASE)
    if kind == 'str' and text != 'None' and not _is_number(text):
      return text
    if kind == 'null':
      return None
    if kind == 'bool' and text.lower() in ('true', 'false'):
      return text.lower() == 'true'
    if kind == 'int' and _WHOLE.fullmatch(text):
      return int(text)
    if kind == 'float' and not re.search('[:_]|nan', text.lower()):
      return float(text.replace('.inf', 'inf').replace('.Inf', 'inf'))
    raise self.wrong(_remedy(text, kind))

  def _at(self, node: Any) -> 'YamlNode':
    return dataclasses.replace(self, node=node)

  def _shown(self) -> str:
    if isinstance(self.node, yaml.ScalarNode):
      return repr(self.node.value) if self.node.value else 'nothing'
    return 'a list' if isinstance(self.node, yaml.SequenceNode) else 'a mapping'


def read_yaml(text: str, file: str) -> YamlNode:
  """Reads a YAML file.

  Args:
    text: of it.
    file: its name, for messages.

  Raises:
    ValueError: if it is no YAML, or holds nothing.
  """
  try:
    node = yaml.compose(text, Loader=yaml.SafeLoader)
  except yaml.YAMLError as error:
    mark = getattr(error, 'problem_mark', None)
    where = f'{file}:{mark.line + 1}' if mark else file
    problem = getattr(error, 'problem', None) or ' '.join(str(error).split())
    raise ValueError(f'{where}: cannot be read as YAML ({problem}).') from None
  if node is None:
    raise ValueError(f'{file} holds nothing; write a grid, say.')
  return YamlNode(node=node, file=file)


def _is_number(text: str) -> bool:
  """Whether a text looks like a number that YAML 1.1 does not know."""
  return any(_readings(text))


def _readings(text: str) -> Iterator[str]:
  """Yields how to write the number that a text looks like, if it is one."""
  if found := _EXPONENT.fullmatch(text):
    sign, whole, part, exponent_sign, exponent = found.groups()
    if whole or part:
      mantissa = f'{sign}{whole or 0}.{part or 0}'
      yield f'{mantissa}e{exponent_sign or "+"}{exponent}'
      return
  for kind in (float, lambda word: int(word, 0)):
    with contextlib.suppress(ValueError):
      number = kind(text)
      if not math.isnan(number):
        yield str(number).replace('inf', '.inf')
      return


def _remedy(text: str, kind: str) -> str:
  """Returns what is wrong with a word, and how to write it."""
  match kind:
    case 'str' if text == 'None':
      return "None is a text in YAML; write null, or 'None' for the text."
    case 'str':
      number = next(_readings(text))
      return f'{text} is a text in YAML and no number; write {number}.'
    case 'bool':
      word = yaml.safe_load(text)
      return (
        f'{text} is {word} in YAML; write {str(word).lower()}, or {text!r} for '
        'the word.'
      )
    case 'float' if 'nan' in text.lower():
      return f'no value is {text}; write a number, or {text!r} for the text.'
    case 'int' | 'float':
      number = yaml.safe_load(text)
      return (
        f'{text} is {number} in YAML; write {number}, or {text!r} for the text.'
      )
    case 'timestamp':
      return f'{text} is a date in YAML; write {text!r} for the text.'
  return f'{text!r} has the tag {kind}; write a number, true, false or a text.'
