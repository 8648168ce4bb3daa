"""Plots of an evaluation: by dimension, by language, and of similarities."""

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from gemb.evals import plot_style
from gemb.evals import results as results_lib
from gemb.evals.results import ResultRow, Results, Similarities, Task

_LINES = {
  'gemb': {'color': plot_style.BLUE, 'marker': 'o', 'linestyle': '-'},
  'parent': {'color': plot_style.GREY, 'marker': 's', 'linestyle': ':'},
  'untrained': {'color': plot_style.GREY, 'marker': 's', 'linestyle': ':'},
  'bm25': {'color': plot_style.ORANGE, 'marker': 'D', 'linestyle': '--'},
}
_LANGUAGES_PER_PANEL = 28


def make_result_plots(results: Results) -> list[plot_style.Plot]:
  """Draws quality by dimension and language, and similarities.

  Args:
    results: what the evaluation found; may be empty.

  Raises:
    ValueError: if a task of the results is of unknown kind.
  """
  with plot_style.applied():
    return [
      *_dimensions(results),
      *_languages(results),
      *_similarities(results),
    ]


def _dimensions(results: Results) -> Iterator[plot_style.Plot]:
  rows = results.get('rows', ())
  for task in results_lib.make_tasks(rows):
    systems = results_lib.order_systems(row['system'] for row in rows)
    points = {
      system: results_lib.headline(rows, system=system, task=task)
      for system in systems
    }
    if any(prefix for line in points.values() for prefix, _ in line):
      yield _dimension(task, points)


def _dimension(
  task: Task, points: Mapping[str, Sequence[tuple[int | None, float]]]
) -> plot_style.Plot:
  metric = results_lib.metric_name(results_lib.HEADLINE[task.kind])
  title = f'{task.name}: {metric} by dimension'
  figure, axes = plot_style.new_figure(title)
  axes.set_xscale('log', base=2)
  prefixes = sorted({p for line in points.values() for p, _ in line if p})
  for system, line in points.items():
    look = _LINES.get(system, {'color': plot_style.GREEN, 'marker': '^'})
    name = plot_style.plain(results_lib.system_name(system))
    sized = [(p, 100 * share) for p, share in line if p]
    if sized:
      axes.plot(*zip(*sized, strict=True), label=name, **look)
    for share in [share for p, share in line if not p]:
      axes.axhline(100 * share, label=name, **{**look, 'marker': ''})
    for prefix, value in sized if system == 'gemb' else ():
      axes.annotate(
        f'{value:.1f}',
        (prefix, value),
        xytext=(0, 6),
        textcoords='offset points',
        ha='center',
        fontsize=8,
        color=plot_style.BLUE,
      )
  axes.set_xticks(prefixes, [str(prefix) for prefix in prefixes])
  axes.xaxis.set_minor_locator(NullLocator())
  axes.set(
    xlabel='Embedding dimensions kept',
    ylabel=f'{metric.title() if metric.islower() else metric} (%)',
    xlim=(prefixes[0] / 1.35, prefixes[-1] * 1.35),
    ylim=plot_style.from_zero([v for line in points.values() for _, v in line]),
  )
  plot_style.add_legend(axes, columns=3)
  return plot_style.finish(
    figure,
    name=f'{plot_style.file_name(task.name)}_by_dimension',
    section='dimension',
    title=title,
    caption=(
      'Higher is better: a flat line says that embeddings may be cut to fewer '
      'dimensions at little cost; a system without dimensions is drawn across.'
    ),
  )


def _languages(results: Results) -> Iterator[plot_style.Plot]:
  rows = [row for row in results.get('rows', ()) if row.get('by_language')]
  for task in dict.fromkeys(row['task'] for row in rows):
    of_task = [row for row in rows if row['task'] == task]
    model = _widest(of_task, 'gemb')
    if model:
      yield from _language_panels(task, model, _widest(of_task, 'bm25'))


def _language_panels(
  task: str, model: ResultRow, baseline: ResultRow | None
) -> Iterator[plot_style.Plot]:
  ours = model.get('by_language', {})
  theirs = baseline.get('by_language', {}) if baseline else {}
  ordered = sorted(ours, key=lambda language: (-ours[language], language))
  panels = math.ceil(len(ordered) / _LANGUAGES_PER_PANEL)
  per_panel = math.ceil(len(ordered) / panels)
  right = plot_style.from_zero([*ours.values(), *theirs.values()])[1]
  for panel in range(panels):
    first = panel * per_panel
    shown = ordered[first : first + per_panel]
    title = f'{task}: accuracy by language'
    if panels > 1:
      title += f' ({first + 1}–{first + len(shown)} of {len(ordered)})'
    figure = _bars(title, shown, ours, theirs, rows=per_panel, right=right)
    suffix = f'_{panel + 1}' if panels > 1 else ''
    yield plot_style.finish(
      figure,
      name=f'{plot_style.file_name(task)}_by_language{suffix}',
      section='language',
      title=title,
      caption=_language_caption(ours, theirs, model['prefix']),
    )


def _bars(
  title: str,
  shown: Sequence[str],
  ours: Mapping[str, float],
  theirs: Mapping[str, float],
  *,
  rows: int,
  right: float,
) -> Figure:
  figure, axes = plot_style.new_figure(title, height=1.3 + 0.21 * rows)
  places = range(len(shown))
  model = [100 * ours[language] for language in shown]
  above = [place - 0.16 for place in places]
  axes.barh(above, model, 0.5, color=plot_style.BLUE, label='gemb')
  known = [place for place in places if shown[place] in theirs]
  if known:
    axes.barh(
      [place + 0.25 for place in known],
      [100 * theirs[shown[place]] for place in known],
      0.3,
      color=plot_style.ORANGE,
      label='BM25',
    )
  for place, value in zip(above, model, strict=True):
    axes.annotate(
      f'{value:.1f}',
      (value, place),
      xytext=(3, 0),
      textcoords='offset points',
      va='center',
      fontsize=7.5,
      color='#444444',
    )
  axes.set_yticks(places, [plot_style.plain(language) for language in shown])
  axes.set(xlabel='Accuracy (%)', ylabel='Language', xlim=(0, right))
  axes.set_ylim(rows - 0.4, -0.6)  # the best on top; panels of equal scale
  axes.grid(visible=False, axis='y')
  axes.tick_params(axis='y', length=0)
  plot_style.add_legend(axes, columns=2)
  return figure


def _language_caption(
  ours: Mapping[str, float], theirs: Mapping[str, float], prefix: int | None
) -> str:
  means = [f'{np.mean(list(ours.values())):.1%} for gemb']
  if theirs:
    means.append(f'{np.mean(list(theirs.values())):.1%} for BM25')
  size = f' at {prefix} dimensions' if prefix else ''
  return (
    f'Longer is better: the share of sentences whose nearest English text is '
    f'their translation{size}, best language first (mean over '
    f'{len(ours)}: {", ".join(means)}).'
  )


def _similarities(results: Results) -> Iterator[plot_style.Plot]:
  for task, histogram in results.get('similarities', {}).items():
    if sum(histogram['positive']) or sum(histogram['negative']):
      yield _similarity(task, histogram)


def _similarity(task: str, histogram: Similarities) -> plot_style.Plot:
  title = f'{task}: similarity of pairs'
  figure, axes = plot_style.new_figure(title)
  edges = np.asarray(histogram['edges'], float)
  used = np.zeros(len(edges) - 1, bool)
  for name, counted, shade, dash in (
    ('negative', histogram['negative'], plot_style.ORANGE, '--'),
    ('positive', histogram['positive'], plot_style.BLUE, '-'),
  ):
    counts = np.asarray(counted, float)
    used |= counts > 0
    shares = 100 * counts / max(counts.sum(), 1)
    axes.stairs(shares, edges, fill=True, color=shade, alpha=0.25)
    axes.stairs(
      shares, edges, color=shade, linestyle=dash, linewidth=1.4, label=name
    )
  inside = np.flatnonzero(used)
  axes.set(
    xlabel='Cosine similarity (−1 to 1)',
    ylabel='Share of pairs (% a bin)',
    xlim=(edges[inside[0]], edges[inside[-1] + 1]),
    ylim=(0, None),
  )
  plot_style.add_legend(axes, columns=2)
  return plot_style.finish(
    figure,
    name=f'{plot_style.file_name(task)}_similarities',
    section='similarity',
    title=title,
    caption=(
      'The less the two overlap the better: positive is a query with its own '
      'passage, negative the same query with another; each adds up to 100%.'
    ),
  )


def _widest(rows: Sequence[ResultRow], system: str) -> ResultRow | None:
  of_system = [row for row in rows if row['system'] == system]
  return max(of_system, key=lambda row: row['prefix'] or 0, default=None)
