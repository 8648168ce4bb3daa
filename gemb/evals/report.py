"""The report of a run: one HTML file that needs nothing else.

It holds its style and its plots, so that it can be mailed, archived beside a
checkpoint or opened on a host without a network, and still be read in years.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gemb import files
from gemb.evals import (
  page,
  plot_results,
  plot_style,
  plot_training,
)
from gemb.evals import (
  results as results_lib,
)
from gemb.evals.results import MetricsLine, Results, Task

# In the order of the page.
_SECTIONS = {
  'dimension': 'Quality by embedding dimension',
  'language': 'Accuracy by language',
  'similarity': 'Similarity of positive and negative pairs',
  'training': 'Training',
}


def write_report(
  path: str | os.PathLike[str],
  *,
  results: Results,
  metrics: Sequence[MetricsLine],
  config_text: str,
  title: str,
  about: Mapping[str, object] | None = None,
) -> Path:
  """Writes the report of a run as one self-contained HTML file.

  What is missing is left out: a run without evaluation gets the plots of its
  training. The file appears complete or not at all.

  Args:
    path: the file to write; its folder is made if need be.
    results: what the evaluation found (results.json); may be empty.
    metrics: the lines of metrics.jsonl; may be empty.
    config_text: the operative config.
    title: names the run.
    about: facts for the summary, such as steps, pairs seen, wall time and
      versions; shown in order, as they are.

  Returns:
    The path written.

  Raises:
    ValueError: if a task of the results is of unknown kind, or two rows speak
      of the same system, prefix and task.
  """
  plots = _make_plots(results, metrics)
  text = page.render(
    Path(__file__).with_name('report.html'),
    title=title,
    step=results.get('step'),
    about=about or {},
    highlights=_highlights(results),
    table=results_lib.make_table(results),
    metric_name=results_lib.metric_name,
    sections=[
      (heading, [plot for plot in plots if plot.section == section])
      for section, heading in _SECTIONS.items()
    ],
    config_text=config_text,
  )
  return files.write_file(path, text)


def save_plots(
  folder: str | os.PathLike[str],
  *,
  results: Results,
  metrics: Sequence[MetricsLine],
) -> list[Path]:
  """Writes the plots of the report as SVG files, on white cards.

  Args:
    folder: where to; made if need be.
    results: what the evaluation found; may be empty.
    metrics: the lines of metrics.jsonl; may be empty.

  Returns:
    The paths written.

  Raises:
    ValueError: if a task of the results is of unknown kind.
  """
  return [
    files.write_file(Path(folder) / f'{plot.name}.svg', plot.svg + '\n')
    for plot in _make_plots(results, metrics)
  ]


def _make_plots(
  results: Results, metrics: Sequence[MetricsLine]
) -> list[plot_style.Plot]:
  return [
    *plot_training.make_training_plots(metrics),
    *plot_results.make_result_plots(results),
  ]


def _highlights(results: Results) -> list[dict[str, Any]]:
  """Returns each task's headline metric, system by system."""
  rows = results.get('rows', ())
  tasks = results_lib.make_tasks(rows)
  systems = results_lib.order_systems(row['system'] for row in rows)
  return [
    {
      'task': task,
      'metric': results_lib.metric_name(results_lib.HEADLINE[task.kind]),
      'scores': list(_scores(results, task, systems)),
    }
    for task in tasks
  ]


def _scores(
  results: Results, task: Task, systems: Sequence[str]
) -> Iterable[dict[str, Any]]:
  for system in systems:
    points = results_lib.headline(
      results.get('rows', ()), system=system, task=task
    )
    if points:
      # The widest prefix, not the luckiest.
      prefix, share = points[-1]
      yield {
        'system': results_lib.system_name(system),
        'ours': system == 'gemb',
        'prefix': prefix,
        'text': results_lib.percent(share),
        'width': round(100 * share, 1),
      }
