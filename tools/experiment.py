"""Makes the tables of experiments/: trains their points, writes what was found.

A folder's sweep.py names the points (`experiments/miniature.py`); it may name
PREFIXES, at which they are compared, and define prepare(), which makes what
they need. Each is trained with three seeds; results, plot and the table in
README.md are written into the folder. Runs lie in runs/miniature, and what is
trained is not trained again.
"""

import argparse
import importlib.util
import json
import os
import pathlib
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from gemb import files
from gemb.evals import plot_style
from gemb.markdown import markdown

EXPERIMENTS = pathlib.Path(__file__).parents[1] / 'experiments'
SEEDS = (0, 1, 2)
# What is compared: means of held-out scores, in percent.
GROUPS = {
  'bitext': ('bitext/accuracy',),
  'code': ('networkx_docstrings/ndcg@10', 'aws_commands_held_out/ndcg@10'),
  'text': ('sphinx_documentation/ndcg@10', 'conversations_held_out/ndcg@10'),
  'classes': ('aws_operations_held_out/accuracy',),
}
_LOOKS = (
  (plot_style.BLUE, 'o'),
  (plot_style.ORANGE, 's'),
  (plot_style.GREEN, '^'),
  (plot_style.PURPLE, 'D'),
)
_BEGIN = '<!-- tools/experiment writes the table below -->'
_END = '<!-- and ends here -->'

# {point: {prefix: {group: a value each seed, in percent}}}
Results = dict[str, dict[int, dict[str, list[float]]]]


def main(arguments: Sequence[str] | None = None) -> None:
  """Makes the tables that are named."""
  parser = argparse.ArgumentParser(description='Make tables of experiments/.')
  parser.add_argument('names', nargs='*', help='folders, such as 05_batches')
  parser.add_argument('--all', action='store_true', help='all of them')
  options = parser.parse_args(arguments)
  known = sorted(path.parent.name for path in EXPERIMENTS.glob('*/sweep.py'))
  names = known if options.all else options.names
  if unknown := sorted(set(names) - set(known)) or not names:
    parser.error(f'no table {unknown}; name some of {", ".join(known)}')
  os.chdir(EXPERIMENTS.parent)
  sweeps = [load_sweep(name) for name in names]
  for sweep in sweeps:
    getattr(sweep, 'prepare', lambda: None)()
  # All with one seed first: a table is whole, if rough, as soon as can be.
  for seed in SEEDS:
    for sweep in sweeps:
      for point in sweep.POINTS.values():
        _scores(point, seed)
  for name in names:
    write(name)


def load_sweep(name: str) -> Any:
  """Returns the module that names a table's points."""
  path = EXPERIMENTS / name / 'sweep.py'
  spec = importlib.util.spec_from_file_location(f'sweep_{name}', path)
  if spec is None or spec.loader is None:
    raise ImportError(f'{path} cannot be read.')
  sweep = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(sweep)
  return sweep


def write(name: str) -> None:
  """Writes results.json, plot.svg and the table in README.md."""
  sweep, folder = load_sweep(name), EXPERIMENTS / name
  prefixes = getattr(sweep, 'PREFIXES', (256,))
  results = collect(
    {
      title: [_scores(point, seed) for seed in SEEDS]
      for title, point in sweep.POINTS.items()
    },
    prefixes,
  )
  question = (sweep.__doc__ or name).splitlines()[0]
  content = {'question': question, 'seeds': SEEDS, 'results': results}
  files.write_file(folder / 'results.json', json.dumps(content, indent=1))
  files.write_file(folder / 'plot.svg', plot(question, results).svg + '\n')
  readme = folder / 'README.md'
  text = readme.read_text(encoding='utf-8') if readme.is_file() else ''
  files.write_file(readme, with_table(text, table(results)))
  print(f'\n{question}\n\n{table(results)}')


def collect(
  scores: Mapping[str, Sequence[Mapping[str, float]]], prefixes: Sequence[int]
) -> Results:
  """Returns the means of each group, for every point, prefix and seed."""

  def mean(of_seed: Mapping[str, float], group: str, prefix: int) -> float:
    found = [of_seed[f'{metric}@{prefix}'] for metric in GROUPS[group]]
    return round(100 * statistics.mean(found), 2)

  return {
    title: {
      prefix: {
        group: [mean(of_seed, group, prefix) for of_seed in of_point]
        for group in GROUPS
      }
      for prefix in prefixes
    }
    for title, of_point in scores.items()
  }


def table(results: Results) -> str:
  """Returns a table: mean and standard deviation over the seeds."""
  several = any(len(by_prefix) > 1 for by_prefix in results.values())
  heads = ['', *(['prefix'] if several else []), *GROUPS, 'mean']
  lines = [heads]
  for title, by_prefix in results.items():
    for prefix, by_group in by_prefix.items():
      columns = [*by_group.values(), _mean_of_groups(by_group)]
      name = [title, *([str(prefix)] if several else [])]
      lines.append([*name, *map(_spread, columns)])
  return markdown(lines)


def with_table(text: str, table: str) -> str:
  """Returns a page with the table where it belongs, or at its end."""
  begin, found, rest = text.partition(_BEGIN)
  _, _, end = rest.partition(_END)
  if not found:
    begin, end = (text.rstrip() + '\n\n') if text else '', '\n'
  return f'{begin}{_BEGIN}\n\n{table.rstrip()}\n\n{_END}{end}'


def plot(question: str, results: Results) -> plot_style.Plot:
  """Draws the groups of each point, and prefix: seeds, and their mean."""
  rows = {
    f'{title}, {prefix}' if len(by_prefix) > 1 else title: by_group
    for title, by_prefix in results.items()
    for prefix, by_group in by_prefix.items()
  }
  with plot_style.applied():
    height = 1.6 + 0.32 * len(rows)
    figure, axes = plot_style.new_figure(question, height=height)
    for (group, _), (color, marker) in zip(GROUPS.items(), _LOOKS, strict=True):
      for row, by_group in enumerate(rows.values()):
        seeds = by_group[group]
        axes.plot(seeds, [row] * len(seeds), '|', color=color, markersize=7)
        axes.plot(
          statistics.mean(seeds),
          row,
          marker,
          color=color,
          label=group if row == 0 else None,
        )
    axes.set_yticks(range(len(rows)), [plot_style.plain(row) for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_xlabel('held-out score, percent')
    plot_style.add_legend(axes, columns=2)  # names of points may be long
    return plot_style.finish(
      figure,
      name='plot',
      section='dimension',
      title=question,
      caption='Strokes are seeds, marks their means.',
    )


def _scores(point: Any, seed: int) -> dict[str, float]:
  # In experiments/, which tools/experiment puts on PYTHONPATH.
  import miniature

  return miniature.scores(point, seed)


def _mean_of_groups(by_group: Mapping[str, Sequence[float]]) -> list[float]:
  return [
    statistics.mean(seed) for seed in zip(*by_group.values(), strict=True)
  ]


def _spread(seeds: Sequence[float]) -> str:
  deviation = statistics.stdev(seeds) if len(seeds) > 1 else 0.0
  return f'{statistics.mean(seeds):.1f} ± {deviation:.1f}'


if __name__ == '__main__':
  main()
