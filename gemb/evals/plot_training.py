"""Plots of what happens over the steps of a run, from metrics.jsonl."""

import math
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from gemb.evals import plot_style
from gemb.evals import results as results_lib
from gemb.evals.results import MetricsLine

_SHADES = [
  plot_style.BLUE,
  plot_style.ORANGE,
  plot_style.GREEN,
  plot_style.PURPLE,
  plot_style.INK,
]
_DASHES = ['-', '--', '-.', ':']
_MARKERS = ['o', 's', 'D', '^', 'v']
_Series = tuple[Float[np.ndarray, '_'], Float[np.ndarray, '_']]

_MAX_POINTS = 400  # per line: keeps the report small however long the run


def make_training_plots(
  metrics: Sequence[MetricsLine],
) -> list[plot_style.Plot]:
  """Draws loss, in-batch accuracy and held-out quality over steps.

  Args:
    metrics: the lines of metrics.jsonl; what they lack is not drawn.
  """
  plots = []
  with plot_style.applied():
    if len(_series(metrics, 'loss')[0]):
      plots.append(_loss(metrics))
    prefixes = _prefixes(metrics)
    if len(prefixes) > 1:
      plots.append(_loss_by_prefix(metrics, prefixes))
    if len(_series(metrics, 'accuracy')[0]):
      plots.append(_in_batch_accuracy(metrics))
    held_out = _held_out_keys(metrics)
    if held_out:
      plots.append(_held_out(metrics, held_out))
  return plots


def _loss(metrics: Sequence[MetricsLine]) -> plot_style.Plot:
  title = 'Training loss'
  figure, axes = plot_style.new_figure(title)
  series = _series(metrics, 'loss')
  _draw(axes, series, color=plot_style.BLUE)
  axes.set(xlabel='Training step', ylabel='Loss (nats)', ylim=(0, None))
  return plot_style.finish(
    figure,
    name='training_loss',
    section='training',
    title=title,
    caption=(
      'Lower is better: this is what the optimizer minimises, the sum over '
      'all prefixes; the pale line is each logged step, the dark one a moving '
      'average.'
    ),
  )


def _loss_by_prefix(
  metrics: Sequence[MetricsLine], prefixes: Sequence[int]
) -> plot_style.Plot:
  title = 'Training loss by prefix (dimensions)'
  figure, axes = plot_style.new_figure(title)
  shades = matplotlib.colormaps['viridis'](
    np.linspace(0.05, 0.75, len(prefixes))
  )
  for place, prefix in enumerate(prefixes):
    axes.plot(
      *_thin(*_smooth(*_series(metrics, f'loss/{prefix}'))),
      color=shades[place],
      linestyle=_DASHES[place % len(_DASHES)],
      label=str(prefix),
    )
  axes.set(xlabel='Training step', ylabel='Loss (nats)')
  plot_style.add_legend(axes, columns=4)
  return plot_style.finish(
    figure,
    name='training_loss_by_prefix',
    section='training',
    title=title,
    caption=(
      'Lower is better: the parts of the loss by embedding prefix, as moving '
      'averages; the gap between two lines is what more dimensions gain.'
    ),
  )


def _in_batch_accuracy(
  metrics: Sequence[MetricsLine],
) -> plot_style.Plot:
  title = 'In-batch accuracy'
  figure, axes = plot_style.new_figure(title)
  steps, shares = _series(metrics, 'accuracy')
  _draw(axes, (steps, 100 * shares), color=plot_style.BLUE)
  axes.set(xlabel='Training step', ylabel='Accuracy (%)', ylim=(0, None))
  return plot_style.finish(
    figure,
    name='in_batch_accuracy',
    section='training',
    title=title,
    caption=(
      'Higher is better: the share of training queries whose own passage is '
      'the most similar in the batch, which depends on the batch size.'
    ),
  )


def _held_out(
  metrics: Sequence[MetricsLine], keys: Mapping[str, str]
) -> plot_style.Plot:
  title = 'Held-out quality during training'
  figure, axes = plot_style.new_figure(title)
  for place, (label, key) in enumerate(keys.items()):
    steps, shares = _series(metrics, key)
    axes.plot(
      *_thin(steps, 100 * shares),
      color=_SHADES[place % len(_SHADES)],
      marker=_MARKERS[place % len(_MARKERS)] if len(steps) <= 40 else '',
      linestyle=_DASHES[place % len(_DASHES)],
      label=label,
    )
  axes.set(xlabel='Training step', ylabel='Score (%)', ylim=(0, None))
  plot_style.add_legend(axes, columns=1)
  return plot_style.finish(
    figure,
    name='held_out_quality',
    section='training',
    title=title,
    caption=(
      'Higher is better: each marker is an evaluation during training; a line '
      'that still climbs at its end says that a longer run would help. These '
      'may search fewer candidates than the table above, and so score higher.'
    ),
  )


def _held_out_keys(metrics: Sequence[MetricsLine]) -> dict[str, str]:
  """Returns the headline of each task at its largest prefix, by label."""
  largest: dict[str, int] = {}
  for key in {key for line in metrics for key in line}:
    name, at, prefix = key.rpartition('@')
    metric = name.rpartition('/')[2]
    if (
      key.startswith('eval/')
      and at
      and prefix.isdecimal()
      and metric in results_lib.HEADLINE.values()
    ):
      largest[name] = max(int(prefix), largest.get(name, 0))
  labels = {}
  for name in sorted(largest):
    task, _, metric = name.removeprefix('eval/').rpartition('/')
    shown = results_lib.metric_name(metric)
    label = f'{plot_style.plain(task)}: {shown} at {largest[name]} dimensions'
    labels[label] = f'{name}@{largest[name]}'
  return labels


def _prefixes(metrics: Sequence[MetricsLine]) -> list[int]:
  keys = {key for line in metrics for key in line if key.startswith('loss/')}
  numbers = {key.removeprefix('loss/') for key in keys}
  return sorted(int(number) for number in numbers if number.isdecimal())


def _draw(axes: Axes, series: _Series, *, color: str) -> None:
  axes.plot(*_thin(*series), color=color, alpha=0.25, linewidth=0.7)
  axes.plot(*_thin(*_smooth(*series)), color=color)


def _series(metrics: Sequence[MetricsLine], key: str) -> _Series:
  # A resumed run may have logged a step twice: the later line stands.
  by_step = {line['step']: line[key] for line in metrics if key in line}
  finite = {s: v for s, v in by_step.items() if math.isfinite(v)}
  steps = sorted(finite)
  return (
    np.array(steps, float),
    np.array([finite[step] for step in steps], float),
  )


def _smooth(
  steps: Float[np.ndarray, 'T'], values: Float[np.ndarray, 'T']
) -> _Series:
  # Fewer neighbours at the ends rather than zeros.
  window = np.ones(max(1, len(values) // 30))
  weight = np.convolve(np.ones(len(values)), window, 'same')
  return steps, np.convolve(values, window, 'same') / weight


def _thin(
  steps: Float[np.ndarray, 'T'], values: Float[np.ndarray, 'T']
) -> _Series:
  if len(steps) <= _MAX_POINTS:
    return steps, values
  kept = np.linspace(0, len(steps) - 1, _MAX_POINTS).astype(int)
  return steps[kept], values[kept]
