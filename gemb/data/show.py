"""What a run trains on, for people to read; no TensorFlow."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from gemb.data.config import DataConfig
from gemb.data.loader import Loader, open_loader
from gemb.data.planning import MIXED, Plan
from gemb.data.records import Record, Records
from gemb.types import PAD, Packed, token_rows

_LOOK = 1000  # steps: every task has a batch among them, by the rates


def list_tasks(config: DataConfig) -> str:
  """Returns a Markdown table of the tasks of a run, counted in their caches.

  Raises:
    FileNotFoundError: if a cache has not been made (`gemb cache`).
  """
  loader = _open(config, seed=0)
  head = ['task', 'rate', 'task string', 'examples', 'dropped', 'tokens']
  head += ['a query', 'a positive', 'hard negatives an example']
  lines = [head, ['---', '---:', '---', *['---:'] * (len(head) - 3)]]
  for task, (records, *_) in loader.records.items():
    lengths = np.asarray(records.lengths)
    dropped = sum(records.manifest.get('dropped', {}).values())
    lines.append(
      [
        *(
          task,
          f'{config.rates[task]:g}',
          str(config.task_string(task)).replace('|', '\\|'),
        ),
        *(f'{n:,}' for n in (len(records), dropped, int(lengths.sum()))),
        *(f'{mean:.1f}' for mean in lengths[:, :2].mean(axis=0)),
        f'{np.count_nonzero(lengths[:, 2:]) / len(records):.1f}',
      ]
    )
  return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def show_task(
  config: DataConfig, task: str, *, examples: int, seed: int, rows_at_once: int
) -> str:
  """Returns counts of a task, and the first examples of it as trained on.

  Args:
    config: of the run's data.
    task: one of `config.rates`.
    examples: how many.
    seed: of the run.
    rows_at_once: of packed texts, that one device would encode.

  Raises:
    FileNotFoundError: if a cache has not been made (`gemb cache`).
    ValueError: if the run has no such task.
  """
  if task not in config.rates:
    raise ValueError(
      f'The mixture {config.name!r} has no task {task!r}, only '
      f'{", ".join(config.rates)}; name one of them, or another --gin_file.'
    )
  loader = _open(config, seed=seed, rows_at_once=rows_at_once)
  plan, rows = _first_batch(loader, config, task)
  lines = [*_counts(loader.records[task][0]), '', _batch_line(loader, plan)]
  records = loader.examples(plan.step)
  for row in rows[:examples]:
    lines += ['', *_example(loader, plan, int(row), records[row])]
  return '\n'.join(lines)


def _open(config: DataConfig, *, seed: int, rows_at_once: int = 1) -> Loader:
  # A teacher's vectors are not for reading, and may be made yet.
  config = dataclasses.replace(config, teacher=None)
  return open_loader(config, seed=seed, rows_at_once=rows_at_once)


def _first_batch(
  loader: Loader, config: DataConfig, task: str
) -> tuple[Plan, np.ndarray]:
  """Returns the first plan with examples of a task, and their rows."""
  views = [v for t in config.rates for v in [t] * len(loader.records[t])]
  for step in range(_LOOK):
    plan = loader.plan(step)
    rows = np.flatnonzero([views[view] == task for view in plan.view])
    if len(rows):
      return plan, rows
  raise ValueError(
    f'Task {task!r} has no example in the first {_LOOK} steps; raise its rate.'
  )


def _counts(records: Records) -> Iterator[str]:
  manifest, spec = records.manifest, records.spec
  tokens = int(np.asarray(records.lengths).sum())
  yield f'{spec.task}: {len(records):,} examples, {tokens:,} tokens'
  for reason, count in manifest.get('dropped', {}).items():
    yield f'  dropped, {reason}: {count:,}'
  yield f'  query template: {spec.query_template!r}'
  yield f'  passage template: {spec.passage_template!r}'
  yield f'  in {spec.folder}'


def _batch_line(loader: Loader, plan: Plan) -> str:
  _, batch = loader.batch(plan.step)
  what = 'of several tasks' if plan.task == MIXED else f'of {plan.task}'
  if isinstance(batch.texts, Packed):
    rows, length = batch.texts.tokens.shape
    shape = f'its texts share {rows} rows of {length} tokens'
  else:
    query, passage = plan.shape
    shape = f'queries are padded to {query} tokens, passages to {passage}'
  tokens = [np.asarray(x) for x in token_rows(batch.texts)]
  padding = sum(np.sum(x == PAD) for x in tokens) / sum(x.size for x in tokens)
  return (
    f'The batch of step {plan.step} is {what}: {shape}. {padding:.1%} is '
    'padding.'
  )


def _example(
  loader: Loader, plan: Plan, row: int, record: Record
) -> Iterator[str]:
  """Yields an example's texts, with their tokens and where they lie."""
  _, batch = loader.batch(plan.step)
  yield f'Example {record.name} (row {row})'
  count = batch.has_negative.shape[1]
  names = ['query', 'positive', *(f'negative {r + 1}' for r in range(count))]
  for side, name in enumerate(names):
    ids, where = _text(batch.texts, row, side)
    if len(ids):
      yield f'  {name}: {loader.tokenizer.decode(ids)!r}'
      yield f'    {len(ids)} tokens, {where}: {" ".join(map(str, ids))}'


def _text(texts, row: int, side: int) -> tuple[list[int], str]:
  """Returns a text's ids as the model gets them, and where they lie."""
  if isinstance(texts, Packed):
    place, slot = divmod(int(texts.place[row, side]), texts.slots)
    mine = np.flatnonzero(texts.segments[place] == slot + 1)
    if texts.place[row, side] < 0 or not len(mine):
      return [], ''
    where = f'row {place} from {mine[0]} on, segment {slot + 1}'
    return texts.tokens[place, mine].tolist(), where
  passages = np.concatenate([texts.positive[:, None], texts.negatives], axis=1)
  tokens = texts.query[row] if side == 0 else passages[row, side - 1]
  ids = tokens[tokens != PAD].tolist()
  return ids, f'{len(tokens) - len(ids)} of padding behind'
