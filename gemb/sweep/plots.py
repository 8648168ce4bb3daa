"""A plot of a sweep: a panel an axis, the score against its values."""

import math
import statistics
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from gemb.config_values import literal
from gemb.evals import plot_style
from gemb.evals.plot_style import Plot
from gemb.sweep.points import short_name
from gemb.sweep.table import Row, Table

_NAMED = 5  # values of an axis, at most, that are all named
_MARKERS = 'os^Dv'
_COLORS = (plot_style.BLUE, plot_style.GREEN, plot_style.PURPLE)


def draw_table(table: Table) -> Plot | None:
  """Draws the points that have a score, and a line through the best of each.

  Returns:
    The plot; None if no point has one, or nothing differs.
  """
  rows = [row for row in table.rows if table.best_metric in row.scores]
  if not rows or not table.axes:
    return None
  title = f'{len(rows)} points by {table.best_metric}'
  with plot_style.applied():
    figure, panels = plot_style.new_panels(title, len(table.axes))
    for name, axes in zip(table.axes, panels, strict=True):
      _draw_axis(axes, name, rows, table)
    if table.sweeps > 1:
      plot_style.add_legend(panels[0], columns=2)
    return plot_style.finish(
      figure,
      name='table',
      section='training',
      title=title,
      caption=(
        'Higher is better: each mark is a run, the ringed one the best of all; '
        'the line joins the best at each value, whatever the other values '
        'are. The highest of many runs is in part good luck.'
      ),
    )


def is_logarithmic(values: Sequence[int | float]) -> bool:
  """Returns whether values are spaced by factors more than by distances.

  >>> is_logarithmic([1, 2, 4]), is_logarithmic([1, 2, 3])
  (True, False)
  """
  low, high = min(values), max(values)
  if low <= 0 or low == high:
    return False
  if len({*values}) == 2:
    return high >= 10 * low
  middle = statistics.median({*values})
  ratio = math.log(middle / low) / math.log(high / low)
  return abs(ratio - 0.5) < abs((middle - low) / (high - low) - 0.5)


def _draw_axis(
  axes: Axes, name: str, rows: Sequence[Row], table: Table
) -> None:
  places = _places(axes, [row.values[name] for row in rows])
  scores = [100 * row.scores[table.best_metric] for row in rows]
  best: dict[float, float] = {}
  for place, score in zip(places, scores, strict=True):
    best[place] = max(score, best.get(place, score))
  axes.plot(*zip(*sorted(best.items()), strict=True), color=plot_style.GREY)
  for number, sweep in enumerate(dict.fromkeys(row.sweep for row in rows)):
    here = [i for i, row in enumerate(rows) if row.sweep == sweep]
    axes.plot(
      [places[i] for i in here],
      [scores[i] for i in here],
      _MARKERS[number % len(_MARKERS)],
      color=_COLORS[number % len(_COLORS)],
      label=plot_style.plain(sweep),
    )
  ring = {'color': plot_style.ORANGE, 'markersize': 9, 'fillstyle': 'none'}
  axes.plot(places[0], scores[0], 'o', **ring)  # the rows are best first
  axes.set(xlabel=plot_style.plain(short_name(name)), ylabel='Score (%)')


def _places(axes: Axes, values: Sequence[Any]) -> list[float]:
  """Returns where values stand: numbers as they are, others by their order."""
  if all(type(value) in (int, float) for value in values):
    _set_ticks(axes, values)
    return [float(value) for value in values]
  names = sorted({literal(value) for value in values})
  axes.set_xticks(range(len(names)), [plot_style.plain(n) for n in names])
  return [float(names.index(literal(value))) for value in values]


def _set_ticks(axes: Axes, values: Sequence[int | float]) -> None:
  """Names the values themselves, or round ones where there are many."""
  if is_logarithmic(values):
    axes.set_xscale('log')
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f'{x:g}'))
  there = sorted({*values})
  if len(there) <= _NAMED:
    axes.set_xticks(there, [f'{value:g}' for value in there])
