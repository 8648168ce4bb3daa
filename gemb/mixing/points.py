"""The mixtures that a search has tried, and what came of them."""

import dataclasses
import json
import pathlib
import statistics
from collections.abc import Sequence

from gemb import files
from gemb.data.sampling import BLOCK
from gemb.mixing import plots
from gemb.mixing.mixture import RATES, Mixture, name_of, rates_of
from gemb.sweep.family import gin_text


@dataclasses.dataclass(frozen=True, kw_only=True)
class Point:
  """A mixture, and what came of it.

  Attributes:
    source: 'given', 'dirichlet' or 'tpe'.
    mixture: batches of every 1,000.
    scores: of the evaluations at its end, by name; none if it broke down.
    error: why it did.
  """

  source: str
  mixture: Mixture
  scores: dict[str, float] = dataclasses.field(default_factory=dict)
  error: str = ''

  @property
  def name(self) -> str:
    """Its folder's."""
    return name_of(self.mixture)

  def score(self, metrics: Sequence[str]) -> float:
    """Returns the mean of some scores."""
    return statistics.fmean(self.scores[metric] for metric in metrics)

  def describe(self, metrics: Sequence[str]) -> str:
    """Returns it in a line."""
    rates = ', '.join(f'{task} {n}' for task, n in self.mixture.items())
    found = f'broke down ({self.error})'
    if self.scores:
      found = f'{self.score(metrics):.4f}'
    return f'{self.name}, {self.source}: {rates}: {found}'


def read_points(path: pathlib.Path) -> list[Point]:
  """Returns what was tried, in its order; none if there is no such file."""
  text = path.read_text(encoding='utf-8') if path.is_file() else ''
  return [Point(**json.loads(line)) for line in text.splitlines()]


def write_points(path: pathlib.Path, points: Sequence[Point]) -> None:
  """Writes what was tried, a line each."""
  lines = [json.dumps(dataclasses.asdict(each)) + '\n' for each in points]
  files.write_file(path, ''.join(lines))


def rank(points: Sequence[Point], metrics: Sequence[str]) -> list[Point]:
  """Returns the points that did not break down, best first.

  Raises:
    ValueError: if all did.
  """
  whole = [point for point in points if point.scores]
  if not whole:
    raise ValueError(
      f'All of the {len(points)} mixtures broke down, the first with: '
      f'{points[0].error}'
    )
  return sorted(whole, key=lambda point: -point.score(metrics))


def write_found(
  folder: pathlib.Path, points: Sequence[Point], metrics: Sequence[str]
) -> Point:
  """Writes search.json, best.gin and search.svg; returns the best point."""
  ranked = rank(points, metrics)
  best = ranked[0]
  rows = [
    {'name': point.name, 'score': point.score(metrics)}
    | dataclasses.asdict(point)
    for point in ranked
  ]
  broken = [
    {'name': point.name} | dataclasses.asdict(point)
    for point in points
    if not point.scores
  ]
  content = {'metrics': metrics, 'points': rows, 'broken': broken}
  files.write_file(folder / 'search.json', json.dumps(content, indent=1) + '\n')
  about = [
    f'Batches of every {BLOCK:,}, by `gemb search`: the best of {len(rows)}',
    f'mixtures, by the mean of {", ".join(metrics)}:',
    *(
      f'  {point.score(metrics):.4f} {point.source}'
      for point in ranked
      if point is best or point.source == 'given'
    ),
  ]
  text = gin_text({RATES: rates_of(best.mixture)}, about)
  files.write_file(folder / 'best.gin', text)
  scores = {point.name: point.score(metrics) for point in ranked}
  plot = plots.draw_scores(
    [(p.source, scores[p.name]) for p in points if p.scores],
    what=', '.join(metrics),
  )
  files.write_file(folder / 'search.svg', plot.svg)
  return best
