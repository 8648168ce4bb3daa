"""What the folder of a run tells of it, from outside, while it runs."""

import json
import pathlib
from typing import Any

from chaos_draw import CACHE, EVALUATE_EVERY

SPEEDS = ('pairs_per_second', 'tokens_per_second')
STARTING = 'starting'
TEMPORARY = ('*.orbax-checkpoint-tmp*', '.*.tmp', '.*.partial')


class Folder:
  """A work folder, and the data folder of its run."""

  def __init__(self, workdir: pathlib.Path, data: pathlib.Path):
    """Looks at nothing yet."""
    self.workdir = workdir
    self.data = data
    self.metrics = workdir / 'metrics.jsonl'

  def lines(self) -> list[dict[str, Any]]:
    """Returns the lines of metrics.jsonl that are whole."""
    try:
      text = self.metrics.read_text(encoding='utf-8')
    except FileNotFoundError:
      return []
    whole = text[: text.rfind('\n') + 1]
    return [json.loads(line) for line in whole.splitlines()]

  def step(self) -> int:
    """Returns the last step of which there is a line."""
    lines = self.lines()
    return lines[-1]['step'] if lines else 0

  def phase(self) -> str:
    """Returns in which phase the run is, by what is on disk.

    A step's line is written before its evaluation, and the scores' line after
    it. A checkpoint has another name until it is whole.
    """
    if not self.is_cached():
      return CACHE if any(self.data.iterdir()) else STARTING
    if any((self.workdir / 'checkpoints').glob('*.orbax-checkpoint-tmp*')):
      return 'saving'
    lines = self.lines()
    if not lines:
      return STARTING
    waits = lines[-1]['step'] % EVALUATE_EVERY == 0 and 'loss' in lines[-1]
    return 'evaluation' if waits else 'training'

  def is_cached(self) -> bool:
    """Whether the tokenised records are there."""
    return any((self.data / 'cache').glob('*/[!.]*/manifest.json'))

  def left_over(self) -> list[str]:
    """Returns the names of what was being written and never was finished."""
    return sorted(
      path.name
      for folder in (self.workdir, self.data)
      for pattern in TEMPORARY
      for path in folder.rglob(pattern)
    )

  def results(self) -> list[dict[str, Any]]:
    """Returns the lines without what depends on the machine's haste."""
    return [
      {name: x for name, x in line.items() if name not in SPEEDS}
      for line in self.lines()
    ]
