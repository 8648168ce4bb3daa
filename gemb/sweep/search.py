"""A search of the best values: Optuna's ask and tell, over a file journal.

All that Optuna knows is in the journal, so that a search that was killed goes
on: a trial that was asked and not told is handed out again, under its number.
The sampler is seeded by the number of the trial: a search that was killed asks
for the same as one that was not, where trials run one after another.
"""

import collections
import dataclasses
import functools
import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from gemb import files
from gemb.data.sampling import generator
from gemb.sweep.draws import Draw
from gemb.sweep.points import Point

_NAME = 'sweep'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Search:
  """What is searched.

  Attributes:
    metric: an evaluation's, at a prefix: 'bitext/accuracy@256'. The higher the
      better.
    trials: points that are tried.
    axes: {gin binding: where its value is drawn from}.
    seed: of all that is drawn.
    startup: trials that are drawn at random, before any is suggested.
  """

  metric: str
  trials: int
  axes: Mapping[str, Draw]
  seed: int = 0
  startup: int = 4

  def __post_init__(self):
    if self.trials < 1 or self.startup < 1:
      raise ValueError(
        f'a search has trials={self.trials}, startup={self.startup}; both must '
        'be at least 1.'
      )
    if not self.axes:
      raise ValueError(
        'a search has no axes; give NAME: {uniform: [0.0, 1.0]}.'
      )

  def extremes(self) -> list[Point]:
    """Returns points with each value that shows whether all can be had."""
    first = {name: axis.ends()[0] for name, axis in self.axes.items()}
    others = [
      first | {name: value}
      for name, axis in self.axes.items()
      for value in axis.ends()[1:]
    ]
    return [first, *others]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trial:
  """A point that was asked for.

  Attributes:
    number: Optuna's.
    point: to be tried.
  """

  number: int
  point: Point


class Study:
  """The trials of a search, in a journal."""

  def __init__(self, search: Search, journal: pathlib.Path):
    """Opens it, or begins it.

    Args:
      search: what is searched.
      journal: the file, which no other process uses.

    Raises:
      ValueError: if Optuna is not installed, or the journal is damaged or of
        another search.
    """
    self._optuna = load_optuna()
    self._search = search
    _drop_half_line(journal)
    try:
      self._study = self._open(journal)
    except json.JSONDecodeError as error:
      raise ValueError(
        f'{journal} is damaged ({error}); delete it, and the search begins '
        'anew: its first trials, which have ended, are not run again.'
      ) from error
    self._check_same()
    self._space = {
      name: axis.distribution(self._optuna)
      for name, axis in search.axes.items()
    }

  def trials(self) -> Iterator[Trial]:
    """Yields first those that were not told, then new ones, as asked for."""
    states = self._optuna.trial.TrialState
    for trial in self._study.get_trials(states=(states.RUNNING,)):
      if trial.params.keys() == self._space.keys():
        yield self._trial(trial)
      else:  # the search was killed while it asked: nobody has seen it
        self._study.tell(trial.number, state=states.FAIL)
    while (number := len(self._handed_out())) < self._search.trials:
      self._study.sampler = self._sampler(number)
      yield self._trial(self._study.ask(self._space))

  def tell(self, trial: Trial, score: float | None) -> None:
    """Tells what came of a trial; None: it failed."""
    if score is None:
      failed = self._optuna.trial.TrialState.FAIL
      self._study.tell(trial.number, state=failed)
    else:
      self._study.tell(trial.number, score)

  def states(self) -> collections.Counter[str]:
    """Returns how many trials are RUNNING, COMPLETE or FAIL, as Optuna says."""
    return collections.Counter(trial.state.name for trial in self._handed_out())

  def _open(self, journal: pathlib.Path) -> Any:
    backend = self._optuna.storages.journal.JournalFileBackend(str(journal))
    return self._optuna.create_study(
      storage=self._optuna.storages.JournalStorage(backend),
      study_name=_NAME,
      direction='maximize',
      load_if_exists=True,
    )

  def _check_same(self) -> None:
    """Raises ValueError if the journal is of another search."""
    axes = {name: repr(axis) for name, axis in self._search.axes.items()}
    now = {'metric': self._search.metric, 'seed': self._search.seed, **axes}
    was = self._study.user_attrs.get('search', now)
    if was != now:
      raise ValueError(
        f'The folder holds another search: {"; ".join(_different(was, now))}. '
        'Only trials and startup may change; choose another --workdir.'
      )
    self._study.set_user_attr('search', now)

  def _handed_out(self) -> list[Any]:
    """Returns the trials that somebody has seen."""
    return [
      trial
      for trial in self._study.get_trials(deepcopy=False)
      if trial.params.keys() == self._space.keys()
    ]

  def _sampler(self, number: int) -> Any:
    key = int(generator(self._search.seed, 'search', number).integers(2**31))
    return self._optuna.samplers.TPESampler(
      seed=key,
      n_startup_trials=self._search.startup,
      multivariate=True,
      # Of several at once each stays away from the others.
      constant_liar=True,
    )

  def _trial(self, trial: Any) -> Trial:
    point = {
      name: axis.value(trial.params[name])
      for name, axis in self._search.axes.items()
    }
    return Trial(number=trial.number, point=point)


def _drop_half_line(journal: pathlib.Path) -> None:
  """Cuts a journal to whole lines.

  A machine that dies may leave half a line at its end. Optuna passes over it
  when it reads, and would write on behind it.
  """
  if journal.is_file():
    content = journal.read_bytes()
    whole = content[: content.rfind(b'\n') + 1]
    if whole != content:
      files.write_file(journal, whole)


def _different(was: dict[str, Any], now: dict[str, Any]) -> list[str]:
  return [
    f'{name} was {was.get(name, "not there")}, is {now.get(name, "not there")}'
    for name in {**was, **now}
    if was.get(name) != now.get(name)
  ]


@functools.cache
def load_optuna() -> Any:
  """Returns the library, silent.

  Raises:
    ValueError: if it is not installed.
  """
  try:
    import optuna
  except ModuleNotFoundError as error:
    raise ValueError(
      f'A search needs {error.name}, which is not installed: pip install '
      "-e '.[search]'."
    ) from error
  optuna.logging.set_verbosity(optuna.logging.WARNING)
  return optuna
