"""The work folder of a run: what lies where, and the model in it."""

import contextlib
import dataclasses
import datetime
import json
import os
import pathlib
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from gemb import files
from gemb.data import locks
from gemb.data.tokenizer import Tokenizer

# What may differ between two starts of a run.
_STARTS = ('commit', 'device', 'devices', 'hosts')


@dataclasses.dataclass(frozen=True)
class Workdir:
  """Names of the files of a run.

  config.gin       the operative config; `gemb train --gin_file` on it
                   repeats the run
  about.json       versions, machine, command line, commit and data
  starts.jsonl     a line each time that training began or went on
  tokenizer.model  a copy of the run's
  checkpoints/     by step
  metrics.jsonl    a line each `log_every_steps`, and one an evaluation
  tensorboard/     the same
  tracking/        which runs of tracking services have the same
  profile/         of `gemb train --profile`: a trace, and a table of it
  results.json     of `gemb evaluate`
  report.html      the same, to look at
  """

  root: pathlib.Path

  @property
  def config(self) -> pathlib.Path:
    """The operative config."""
    return self.root / 'config.gin'

  @property
  def about(self) -> pathlib.Path:
    """What made the run."""
    return self.root / 'about.json'

  @property
  def starts(self) -> pathlib.Path:
    """The history of the run."""
    return self.root / 'starts.jsonl'

  @property
  def tokenizer(self) -> pathlib.Path:
    """The copy of the SentencePiece model."""
    return self.root / 'tokenizer.model'

  @property
  def checkpoints(self) -> pathlib.Path:
    """The folder of checkpoints."""
    return self.root / 'checkpoints'

  @property
  def profile(self) -> pathlib.Path:
    """The folder of what was profiled."""
    return self.root / 'profile'

  @property
  def results(self) -> pathlib.Path:
    """What an evaluation found."""
    return self.root / 'results.json'

  @property
  def report(self) -> pathlib.Path:
    """The report."""
    return self.root / 'report.html'

  def claimed(self) -> contextlib.AbstractContextManager[None]:
    """Keeps other runs out of the folder; raises ValueError if one is in it."""
    return locks.claim(self.root, 'trained')

  def write_run(self, config_text: str, about: dict[str, Any]) -> None:
    """Writes down what the run is, before its first step."""
    files.write_file(self.config, config_text)
    files.write_file(self.about, json.dumps(about, indent=2) + '\n')

  def write_start(
    self, step: int, about: Mapping[str, Any], changed: Sequence[str] = ()
  ) -> None:
    """Adds a line to the history: when, after which step, where and with what.

    Args:
      step: updates done already.
      about: what `write_run` gets.
      changed: in the config since the checkpoint, as `changes` tells it.
    """
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds')
    line = {'time': now, 'step': step} | {name: about[name] for name in _STARTS}
    line['changed'] = list(changed)
    old = self.starts.read_text() if self.starts.is_file() else ''
    files.write_file(self.starts, old + json.dumps(line) + '\n')

  def check_begun(self, config_text: str) -> None:
    """Raises OSError if this is not the folder where the run was begun.

    So it is in a process whose machine has another folder of the same name.
    """
    seen = self.config.is_file() and self.config.read_text(encoding='utf-8')
    if seen != config_text:
      raise OSError(
        f'{self.root} is not the folder that process 0 writes to; give all '
        'processes the same --workdir, on a file system that they share.'
      )

  def write_tokenizer(self, tokenizer: Tokenizer) -> None:
    """Keeps the tokenizer with the model.

    Raises:
      ValueError: if the run has begun with another one.
    """
    if self.tokenizer.is_file():
      was = Tokenizer(self.tokenizer).sha256
      if was != tokenizer.sha256:
        raise ValueError(
          f'{self.root} was begun with tokenizer {was[:12]}, and the run names '
          f'{tokenizer.sha256[:12]} ({tokenizer.path}); go on with the first, '
          'or choose another --workdir.'
        )
    files.write_file(self.tokenizer, tokenizer.path.read_bytes())


@dataclasses.dataclass(frozen=True, kw_only=True)
class ParentConfig:
  """The checkpoint of another run that a run starts from.

  Its parameters alone are taken: the optimizer begins anew.

  Attributes:
    workdir: of that run, or of a soup.
    step: of the checkpoint; None: the last.
  """

  workdir: str
  step: int | None = None


def changes(was: str, now: str) -> list[str]:
  """Returns each value that differs between two operative configs, in words."""
  old, new = _values(was), _values(now)
  return [
    f'{name} was {old.get(name, "not there")}, is {new.get(name, "not there")}'
    for name in sorted(old.keys() | new.keys())
    if old.get(name) != new.get(name)
  ]


def _values(config_text: str) -> dict[str, str]:
  """Returns {name: value as written}; each has a line, maybe a comment."""
  lines = (line.removeprefix('# ') for line in config_text.splitlines())
  pairs = (line.partition(' = ') for line in lines)
  return {name: value for name, equals, value in pairs if equals}


def make_workdir(path: str | os.PathLike) -> Workdir:
  """Makes the folder of a run, if it is not there.

  Raises:
    OSError: if it cannot be made or written.
  """
  root = pathlib.Path(path).absolute()
  try:
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=root):
      pass
  except OSError as error:
    raise OSError(
      f'The work folder {root} cannot be written ({error.strerror}); choose '
      'another --workdir.'
    ) from error
  return Workdir(root)


def find_workdir(path: str | os.PathLike) -> Workdir:
  """Returns the folder of a run that has begun.

  Raises:
    FileNotFoundError: if it holds none.
  """
  workdir = Workdir(pathlib.Path(path).absolute())
  if not workdir.config.is_file():
    raise FileNotFoundError(
      f'{workdir.root} holds no run (no config.gin); give the --workdir of a '
      '`gemb train`.'
    )
  return workdir
