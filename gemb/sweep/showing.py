"""Prints the table of sweeps, and writes it with its plot."""

import pathlib
from collections.abc import Sequence

from gemb import files
from gemb.sweep.plots import draw_table
from gemb.sweep.table import as_csv, as_markdown, read_table


def show(
  folders: Sequence[pathlib.Path],
  metrics: Sequence[str] = (),
  *,
  csv: pathlib.Path | None = None,
  plots: pathlib.Path | None = None,
) -> None:
  """Prints a table; writes table.csv, table.md and table.svg.

  They are in the folder of the sweep. Those of several, which are named
  compared.csv and so on, are in the first one's.

  Args:
    folders: of the sweeps.
    metrics: that are shown; none: what the sweep is judged by.
    csv: where the table is written as well.
    plots: the folder where it is drawn as well.

  Raises:
    FileNotFoundError: if a folder holds no sweep.
    ValueError: if no evaluation gives a metric.
  """
  table = read_table(folders, metrics)
  name = 'table' if len(folders) == 1 else 'compared'
  shown, numbers = as_markdown(table), as_csv(table)
  print(shown, end='', flush=True)
  files.write_file(folders[0] / f'{name}.md', shown)
  for path in (folders[0] / f'{name}.csv', csv):
    if path:
      files.write_file(path, numbers)
  plot = draw_table(table)
  if not plot:
    print('Nothing is plotted: no points that differ have a score.')
    return
  for folder in (folders[0], plots):
    if folder:
      print(files.write_file(folder / f'{name}.svg', plot.svg))
