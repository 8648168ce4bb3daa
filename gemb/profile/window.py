"""Which steps are profiled."""

import dataclasses
import re


@dataclasses.dataclass(frozen=True, kw_only=True)
class Window:
  """Some steps of a run, counted as in its metrics: the first update is step 1.

  Attributes:
    first: the first of them.
    last: the last of them, which is among them.
  """

  first: int
  last: int


def parse_window(text: str, steps: int) -> Window:
  """Reads FIRST:LAST.

  Args:
    text: what the user gave for --profile.
    steps: of the whole run.

  Raises:
    ValueError: if it names no steps, or steps that the run does not have.

  >>> parse_window('100:110', steps=500)
  Window(first=100, last=110)
  """
  found = re.fullmatch(r'(\d+):(\d+)', text)
  first, last = map(int, found.groups()) if found else (0, 0)
  if not 1 <= first <= last:
    raise ValueError(
      f'--profile={text} names no steps; give the first and the last, counted '
      'from 1, such as --profile=100:110.'
    )
  if last > steps:
    raise ValueError(
      f'--profile={text} is not within the run, whose last step is {steps} '
      '(Run.steps); choose steps from 1 to that.'
    )
  return Window(first=first, last=last)
