"""soup.json and soup.md: what a soup is, and each ingredient beside it."""

import dataclasses
from collections.abc import Mapping, Sequence

from gemb.evals.results import MISSING, metric_name, percent
from gemb.markdown import markdown

SOUP = 'soup'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
  """A model beside the others.

  Attributes:
    name: of the ingredient, or 'soup'.
    weight: of the ingredient in the soup; None for the soup.
    scores: {'task/metric@prefix': value}.
  """

  name: str
  weight: float | None
  scores: Mapping[str, float]


def markdown_table(rows: Sequence[Row]) -> str:
  """Returns the models beside each other, at one prefix after the other.

  Numbers are in percent; the best of each column and prefix is bold. The mean
  is over tasks.

  >>> rows = [
  ...   Row(name='a@8', weight=1.0, scores={'t/accuracy@4': 0.25}),
  ...   Row(name='soup', weight=None, scores={'t/accuracy@4': 0.5}),
  ... ]
  >>> print(markdown_table(rows), end='')
  | prefix | model | weight | t: accuracy |     mean |
  | ------ | ----- | -----: | ----------: | -------: |
  | 4      | a@8   |   1.00 |        25.0 |     25.0 |
  | 4      | soup  |      – |    **50.0** | **50.0** |
  """
  by_prefix: dict[str, list[str]] = {}
  for name in rows[0].scores:
    by_prefix.setdefault(name.rpartition('@')[2], []).append(name)
  if not by_prefix:
    return 'The first ingredient has no held-out tasks.\n'
  columns = [_column(name) for name in next(iter(by_prefix.values()))]
  lines = [['prefix', 'model', 'weight', *columns, 'mean']]
  for prefix, names in by_prefix.items():
    texts = [_percents([row.scores[name] for name in names]) for row in rows]
    best = [max(column, key=float) for column in zip(*texts, strict=True)]
    for row, found in zip(rows, texts, strict=True):
      weight = MISSING if row.weight is None else f'{row.weight:.2f}'
      shown = [
        f'**{text}**' if text == top else text
        for text, top in zip(found, best, strict=True)
      ]
      lines.append([prefix, row.name, weight, *shown])
  return markdown(lines, names=2)


def _column(score: str) -> str:
  """Returns how 'task/metric@prefix' stands over a column."""
  task, _, metric = score.rpartition('@')[0].rpartition('/')
  return f'{task}: {metric_name(metric)}'


def _percents(scores: Sequence[float]) -> list[str]:
  mean = sum(scores) / len(scores)
  return [percent(score) for score in (*scores, mean)]
