"""What of the recipe is done, and how: recipe.json in its work folder."""

import dataclasses
import hashlib
import json
import pathlib
import shutil
import time
from collections.abc import Mapping
from typing import Any

from recipe_stages import Stage

from gemb import config, files
from gemb.train.checkpoints import differences


@dataclasses.dataclass(kw_only=True)
class Entry:
  """A stage that was begun.

  Attributes:
    command: as a shell takes it.
    config: what decides the result, as JSON.
    after: {stage: digest} of those whose results it took.
    seconds: that it ran, in all attempts.
    made: files and folders that it left, in the work folder; None: it is not
      finished.
  """

  command: list[str]
  config: dict[str, Any]
  after: dict[str, str]
  seconds: float = 0.0
  made: list[str] | None = None

  @property
  def digest(self) -> str:
    """What tells its result from another one."""
    told = json.dumps([self.command, self.config, self.after], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


class Ledger:
  """The stages that were begun, by name."""

  def __init__(self, workdir: pathlib.Path):
    """Reads what there is.

    Raises:
      OSError: if it cannot be read.
      ValueError: if it is damaged.
    """
    self.workdir = workdir
    self._path = workdir / 'recipe.json'
    self.entries: dict[str, Entry] = {}
    if self._path.is_file():
      try:
        read = json.loads(self._path.read_text(encoding='utf-8'))
        self.entries = {name: Entry(**values) for name, values in read.items()}
      except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(
          f'{self._path} is damaged ({error}); take another --workdir.'
        ) from error

  def describe(self, stage: Stage) -> Entry:
    """Returns the stage as it would be begun now.

    Raises:
      ValueError: if its gin files are wrong.
    """
    return Entry(
      command=['gemb', *stage.words],
      config=_deciding(stage),
      after={name: self.entries[name].digest for name in stage.after},
    )

  def changes(self, stage: Stage, now: Entry) -> list[str]:
    """Returns in words what is other than when the stage was begun."""
    was = self.entries.get(stage.name)
    if was is None or was.digest == now.digest:
      return []
    found = differences(was.config, now.config)
    if was.command != now.command:
      found.append(
        f'the command was `{" ".join(was.command)}`, is '
        f'`{" ".join(now.command)}`'
      )
    names = [
      name for name in now.after if was.after.get(name) != now.after[name]
    ]
    return found + [f'{name} was made otherwise' for name in names]

  def finished(self, stage: Stage) -> bool:
    """Says whether the stage is finished, and its result still there."""
    made = self.entries[stage.name].made if stage.name in self.entries else None
    return made is not None and all(
      (self.workdir / path).exists() for path in made
    )

  def begin(self, stage: Stage, now: Entry) -> None:
    """Writes down that the stage is begun, or gone on with."""
    was = self.entries.get(stage.name)
    if was is not None and was.digest == now.digest:
      now.seconds = was.seconds
    self.entries[stage.name] = now
    self._write()

  def spend(self, stage: Stage, *, since: float) -> float:
    """Adds the time since then to a stage's; returns what time it is now."""
    now = time.monotonic()
    self.entries[stage.name].seconds += now - since
    self._write()
    return now

  def finish(self, stage: Stage) -> None:
    """Writes down what the stage has left.

    Raises:
      ValueError: if that is less than it has to leave.
    """
    found = {
      pattern: sorted(self.workdir.glob(pattern)) for pattern in stage.makes
    }
    if missing := [pattern for pattern, paths in found.items() if not paths]:
      raise ValueError(
        f'Stage {stage.name} ended well, but left no {missing[0]} in '
        f'{self.workdir}; run it by hand to see why: '
        f'gemb {" ".join(stage.words)}'
      )
    self.entries[stage.name].made = [
      str(path.relative_to(self.workdir))
      for paths in found.values()
      for path in paths
    ]
    self._write()

  def forget(self, stage: Stage) -> None:
    """Deletes what the stage has left, to do it anew."""
    for pattern in stage.leaves:
      for path in self.workdir.glob(pattern):
        if path.is_dir():
          shutil.rmtree(path)
        else:
          path.unlink()
    del self.entries[stage.name]
    self._write()

  def _write(self) -> None:
    entries = {
      name: dataclasses.asdict(entry) for name, entry in self.entries.items()
    }
    files.write_file(self._path, json.dumps(entries, indent=1) + '\n')


def _deciding(stage: Stage) -> dict[str, Any]:
  """Returns the values of gin that decide a stage's result, as JSON."""
  if not stage.files:
    return {}
  tree, _ = config.load(stage.files, stage.bindings, root=stage.root)
  values: Mapping[str, Any] = dataclasses.asdict(tree)
  return json.loads(
    json.dumps({part: values[part] for part in stage.parts or values})
  )
