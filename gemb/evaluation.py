"""Judges the model of a work folder beside two baselines; writes the report."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from gemb import files
from gemb.data.planning import pairs_until
from gemb.evals import report, suite
from gemb.evals.results import ResultRow, Results
from gemb.run import Run
from gemb.train.metrics import read_metrics
from gemb.trained import load_encoder
from gemb.workdir import Workdir


def evaluate(run: Run, workdir: Workdir, *, step: int | None = None) -> Results:
  """Evaluates at every prefix, beside the model before training and BM25.

  Args:
    run: as `workdir.config` describes it.
    workdir: of a run that has a checkpoint.
    step: of the checkpoint; None: the last.

  Returns:
    What was written to results.json; report.html shows the same.

  Raises:
    FileNotFoundError: if the held-out texts are not there.
    ValueError: if there is no such checkpoint, or it has another architecture.
  """
  encoder, step = load_encoder(run, workdir, step=step)
  untrained, _ = load_encoder(run, workdir, step=0)
  tasks = suite.load_tasks(run.evaluation, run.data, in_training=False)
  prefixes = run.loss.prefixes
  vectors = suite.embed(tasks, encoder.encode)
  before = suite.embed(tasks, untrained.encode)
  rows = [
    *_rows('gemb', suite.rank(tasks, vectors, prefixes)),
    *_rows(
      'parent' if run.parent else 'untrained',
      suite.rank(tasks, before, prefixes),
    ),
    *_rows('bm25', suite.rank_by_bm25(tasks)),
  ]
  results = Results(
    step=step,
    rows=rows,
    similarities=suite.similarities(tasks, vectors),
  )
  files.write_file(workdir.results, json.dumps(results, indent=1))
  report.write_report(
    workdir.report,
    results=results,
    metrics=read_metrics(workdir.root),
    config_text=workdir.config.read_text(),
    title=f'gemb: {workdir.root.name}',
    about=_summary(run, workdir, step),
  )
  return results


def _rows(system: str, found: Iterable[Any]) -> Iterator[ResultRow]:
  for task, prefix, ranks in found:
    print(f'  {system}: {task.name}{f" at {prefix}" if prefix else ""}')
    yield suite.make_row(system, task, prefix, ranks)


def _summary(run: Run, workdir: Workdir, step: int) -> dict[str, str]:
  """Returns the facts at the head of the report."""
  about = json.loads(workdir.about.read_text())
  versions = about['versions']
  return {
    'stage': run.stage,
    'steps': f'{step:,}',
    'pairs seen': f'{pairs_until(run.data, step, seed=run.seed):,}',
    'mixture': ', '.join(f'{k} {v:g}' for k, v in run.data.rates.items()),
    'devices': f'{about["devices"]} x {about["device"]}',
    'commit': about['commit'],
    'versions': ', '.join(f'{k} {v}' for k, v in versions.items()),
  }
