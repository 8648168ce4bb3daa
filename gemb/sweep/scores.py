"""Which scores the points of a sweep are judged by and shown with."""

from collections.abc import Iterable, Sequence

from gemb.config_values import nearest
from gemb.evals import suite
from gemb.run import Run


def choose_scores(
  runs: Iterable[Run], metrics: Sequence[str], best: str
) -> tuple[str, ...]:
  """Returns the names of the scores, the first being what is sorted by.

  Args:
    runs: whose evaluations give them.
    metrics: names of scores; one without a prefix stands for all prefixes, the
      largest of which comes first. None: the best one, at every prefix.
    best: the score that is looked for, or that checkpoints are kept by. Where
      no evaluation gives it, or it is '', it is the last that there is.

  Raises:
    ValueError: if no evaluation gives a metric.
  """
  known = list(dict.fromkeys(name for run in runs for name in score_names(run)))
  if known and not metrics:
    best = best if best in known else known[-1]
    metrics = [best, _without_prefix(best)]
  found: list[str] = []
  for metric in metrics:
    prefixes = [name for name in known if _without_prefix(name) == metric]
    if metric not in known and not prefixes:
      raise ValueError(
        f'--metric={metric} is of no evaluation of these runs'
        + nearest(metric, {*known, *map(_without_prefix, known)})
      )
    prefixes.sort(key=lambda name: -int(name.rpartition('@')[2]))
    found += [metric] if metric in known else prefixes
  return tuple(dict.fromkeys(found))


def score_names(run: Run) -> list[str]:
  """Returns the names of all scores that a run's evaluation gives."""
  return suite.score_names(run.evaluation, run.loss.prefixes)


def _without_prefix(metric: str) -> str:
  return metric.rpartition('@')[0]
