"""Plots of how tasks converge, and of what a search has found."""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np

from gemb.evals import plot_style
from gemb.evals.plot_style import Plot
from gemb.mixing.convergence import FALL, Curve

_COLUMNS = 2  # of the legend
_LINE = 0.17  # inches of one in it
_DASHES = ('-', '--', '-.', ':')
_LOOKS = {
  'given': (plot_style.ORANGE, 's', 'given'),
  'dirichlet': (plot_style.BLUE, 'o', 'drawn around it'),
  'tpe': (plot_style.GREEN, '^', 'optimised'),
}


def draw_curves(curves: Mapping[str, Curve]) -> Plot:
  """Draws the fall of each task's loss, and the point where it converged."""
  title = 'How each task converges, trained on alone'
  lines = -(-len(curves) // _COLUMNS)
  with plot_style.applied():
    figure, axes = plot_style.new_figure(title, height=3 + _LINE * lines)
    shades = matplotlib.colormaps['viridis'](np.linspace(0, 0.85, len(curves)))
    order = sorted(curves, key=lambda task: curves[task].converged)
    for place, task in enumerate(order):
      curve, look = curves[task], {'color': shades[place]}
      at = curve.steps == curve.converged
      name = f'{plot_style.plain(task)}: {curve.converged:,}'
      style = _DASHES[place % len(_DASHES)]
      axes.plot(
        curve.steps, 100 * curve.fallen, label=name, linestyle=style, **look
      )
      axes.plot(curve.steps[at], 100 * curve.fallen[at], 'o', **look)
    axes.axhline(100 * FALL, color=plot_style.GREY, linewidth=0.8)
    axes.set(xlabel='Training step', ylabel='Share of the fall in loss (%)')
    plot_style.add_legend(axes, columns=_COLUMNS)
    return plot_style.finish(
      figure,
      name='rates',
      section='training',
      title=title,
      caption=(
        f'Each mark is where a task has made {FALL:.0%} of the whole fall of '
        'its smoothed training loss; the rates are in proportion to these '
        'steps. A mark near the right end would move if training went on.'
      ),
    )


def draw_scores(points: Sequence[tuple[str, float]], *, what: str) -> Plot:
  """Draws the scores of mixtures in the order in which they were tried.

  Args:
    points: source and score of each.
    what: was measured.
  """
  title = f'Mixtures by {what}'
  sources = np.array([source for source, _ in points])
  scores = 100 * np.array([score for _, score in points])
  order = np.arange(1, len(points) + 1)
  with plot_style.applied():
    figure, axes = plot_style.new_figure(title)
    best = np.maximum.accumulate(scores)
    axes.step(order, best, color=plot_style.GREY, where='post', label='best')
    for source, (color, marker, name) in _LOOKS.items():
      here = sources == source
      if here.any():
        axes.plot(order[here], scores[here], marker, color=color, label=name)
    axes.set(xlabel='Mixture, in the order tried', ylabel='Score (%)')
    plot_style.add_legend(axes, columns=4)
    return plot_style.finish(
      figure,
      name='search',
      section='training',
      title=title,
      caption=(
        'Higher is better: each mark is a run of one mixture, the line the '
        'best so far. The highest of many runs is in part good luck.'
      ),
    )
