"""The processes below one, as Linux tells them in /proc."""

import collections
import dataclasses
import os
import pathlib
import time
from collections.abc import Iterable
from signal import Signals

PROC = pathlib.Path('/proc')


@dataclasses.dataclass(frozen=True, kw_only=True)
class Process:
  """A process; its number may be another's later, with another start.

  Attributes:
    id: its number.
    parent: the number of the one that started it.
    started: in the kernel's ticks since the machine began.
    arguments: of its command line.
  """

  id: int
  parent: int
  started: int
  arguments: tuple[str, ...]

  @property
  def trains(self) -> bool:
    """Whether it is `gemb train`, and not what starts or serves one."""
    words = self.arguments
    return 'train' in words and 'gemb.launch.supervise' not in words

  @property
  def caches(self) -> bool:
    """Whether it is `gemb cache`."""
    return 'cache' in self.arguments

  @property
  def number(self) -> int:
    """Which of the run's processes it is."""
    for word in self.arguments:
      if word.startswith('--process='):
        return int(word.removeprefix('--process='))
    return 0


def descendants(parent: int) -> list[Process]:
  """Returns all below a process, itself not among them."""
  children = collections.defaultdict(list)
  for folder in PROC.iterdir():
    if folder.name.isdecimal() and (process := look_up(int(folder.name))):
      children[process.parent].append(process)
  found = children[parent]
  for process in found:
    found.extend(children[process.id])
  return found


def look_up(number: int) -> Process | None:
  """Returns a process, or None if there is none any more."""
  try:
    stat = (PROC / str(number) / 'stat').read_text()
    words = (PROC / str(number) / 'cmdline').read_bytes().split(b'\0')
  except OSError:
    return None
  # The second field is the program's name in parentheses, with any letters.
  fields = stat.rpartition(')')[2].split()
  if fields[0] in 'ZX':  # dead, and nobody has asked how it ended
    return None
  return Process(
    id=number,
    parent=int(fields[1]),
    started=int(fields[19]),
    arguments=tuple(word.decode(errors='replace') for word in words),
  )


def alive(processes: Iterable[Process]) -> list[Process]:
  """Returns those that still are."""
  return [
    each
    for each in processes
    if (now := look_up(each.id)) and now.started == each.started
  ]


def send(processes: Iterable[Process], signal: Signals) -> int:
  """Sends a signal to those that are alive; returns how many there were."""
  sent = 0
  for process in alive(processes):
    try:
      os.kill(process.id, signal)
      sent += 1
    except ProcessLookupError:
      pass
  return sent


def wait_until_gone(
  processes: Iterable[Process], seconds: float
) -> list[Process]:
  """Waits for processes to end; returns those that have not."""
  left, until = alive(processes), time.monotonic() + seconds
  while left and time.monotonic() < until:
    time.sleep(0.02)
    left = alive(left)
  return left
