"""MTEB's evaluators on a gemb encoder: every task, at every prefix."""

import contextlib
import copy
import json
import os
import pathlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tqdm import tqdm

from gemb import files
from gemb.encode import Encoder
from gemb.evals.mteb import library
from gemb.evals.mteb.encoder import Overrides, make_mteb_encoders
from gemb.evals.mteb.local import local_tasks
from gemb.evals.mteb.summary import ListScores, Summary, TaskScores
from gemb.evals.mteb.tasks import TaskList, check_overrides, find_tasks

_ENCODING: Any = {
  'batch_size': 256,
  'show_progress_bar': False,
  # For exported models: sentence-transformers leaves a prefix shorter than 1.
  'normalize_embeddings': True,
}


class _UnreachableError(Exception):
  """The data of a task cannot be had."""


def evaluate_encoder(
  encoder: Encoder,
  *,
  names: Sequence[str] = (),
  data: pathlib.Path | None = None,
  prefixes: Sequence[int],
  model: str,
  revision: str,
  folder: pathlib.Path,
  prompts: Overrides | None = None,
) -> Summary:
  """Evaluates an encoder on tasks of MTEB, on local files, or on both.

  Each result is a file of mteb's under `folder`/mteb, and what has one is not
  evaluated again. The tables are `folder`/mteb_summary.md, and .json.

  Args:
    encoder: embeds, over its mesh.
    names: of benchmarks, such as 'MTEB(eng, v2)', or of tasks.
    data: a folder of local sets; `files.py` has the format.
    prefixes: dimensions to evaluate at; each text is embedded once for all.
    model: the name that mteb files results under, 'organisation/model'.
    revision: of the model, such as 'step-400'.
    folder: where results go.
    prompts: task strings or pairs of templates, by task or type of task,
      that go before `gemb.prompts.BY_MTEB_TYPE`.

  Returns:
    The scores, and the tasks whose data could not be had.

  Raises:
    FileNotFoundError: if `data` holds nothing to evaluate on.
    OSError: if the data of no task could be had.
    ValueError: if mteb is not installed; on an unknown name or prompt; if a
      local file is damaged or fits no kind of task.
  """
  library.prepare(folder / 'mteb', needs_hub=bool(names))
  lists = find_tasks(names)
  if data is not None:
    lists.append(local_tasks(data))
  overrides = prompts or {}
  check_overrides(overrides, lists)
  models = make_mteb_encoders(
    encoder, prefixes, name=model, revision=revision, overrides=overrides
  )
  return evaluate_models(models, lists, folder)


def evaluate_models(
  models: Mapping[int, Any], lists: Sequence[TaskList], folder: pathlib.Path
) -> Summary:
  """Evaluates whatever mteb takes for a model, by prefix.

  Args:
    models: of one name and revision (`mteb.EncoderProtocol`), by prefix.
    lists: of tasks.
    folder: as in `evaluate_encoder`.

  Raises:
    OSError: if the data of no task could be had.
  """
  import datasets
  import mteb

  datasets.disable_progress_bars()
  cache = mteb.ResultCache(folder / 'mteb')
  unreachable: dict[str, str] = {}
  total = len(models) * sum(len(of_list.tasks) for of_list in lists)
  found = []
  with tqdm(total=total, unit='task', file=sys.stderr) as bar:
    for of_list in lists:
      tasks = [
        _evaluate(task, models, cache, bar, unreachable)
        for task in of_list.tasks
      ]
      found.append(
        ListScores(
          name=of_list.name, benchmark=of_list.benchmark, tasks=tuple(tasks)
        )
      )
  meta = next(iter(models.values())).mteb_model_meta
  summary = Summary(
    model=meta.name,
    revision=meta.revision,
    prefixes=tuple(models),
    lists=tuple(found),
    unreachable=unreachable,
  )
  _check_any(summary)
  text = json.dumps(summary.to_json(), indent=1, allow_nan=False)
  files.write_file(folder / 'mteb_summary.json', text)
  files.write_file(folder / 'mteb_summary.md', summary.to_markdown())
  return summary


def _evaluate(
  task: Any,
  models: Mapping[int, Any],
  cache: Any,
  bar: tqdm,
  unreachable: dict[str, str],
) -> TaskScores:
  name = task.metadata.name
  bar.set_description(name)
  scores = {}
  try:
    for prefix, model in models.items():
      scores[prefix] = _score(task, model, cache)
      bar.update()
  except _UnreachableError as error:
    unreachable[name] = str(error)
    bar.update(len(models) - len(scores))
  for part in _parts(task):
    if part.data_loaded:
      part.unload_data()
  return TaskScores(
    task=name,
    kind=task.metadata.type,
    metric=task.metadata.main_score,
    scores=scores,
  )


def _score(task: Any, model: Any, cache: Any) -> float:
  import mteb

  result = _known_result(task, model, cache)
  if not result or result.get_missing_evaluations(task):
    _load(task)
    with _kept_random_state(task), _without_bars():
      found = mteb.evaluate(
        model,
        task,
        cache=cache,
        overwrite_strategy='only-missing' if result else 'always',
        encode_kwargs=_ENCODING,
        co2_tracker=False,
        show_progress_bar=False,
      )
    result = found.task_results[0]
  # A file may have more subsets than this benchmark asks for.
  return float(result.validate_and_filter_scores(task).get_score())


def _known_result(task: Any, model: Any, cache: Any) -> Any:
  """Returns the result of an earlier run on the same data; None if none."""
  try:
    result = cache.load_task_result(task.metadata.name, model.mteb_model_meta)
  except ValueError:
    return None  # half-written: mteb was killed
  # mteb itself would take a complete result of other data.
  return result if result and result.is_mergeable(task) else None


def _load(task: Any) -> None:
  try:
    for part in _parts(task):
      part.load_data()
  except Exception as error:  # of any library below
    why = ' '.join(str(error).split()) or type(error).__name__
    raise _UnreachableError(why) from error


@contextlib.contextmanager
def _without_bars() -> Iterator[None]:
  """Hides the bars that mteb draws whatever it is told."""
  with open(os.devnull, 'w') as nothing, contextlib.redirect_stderr(nothing):
    yield


@contextlib.contextmanager
def _kept_random_state(task: Any) -> Iterator[None]:
  """Lets every prefix, and every resumed run, draw the same samples."""
  parts = _parts(task)
  states = [copy.deepcopy((p.rng_state, p.np_rng)) for p in parts]
  yield
  for part, (rng_state, np_rng) in zip(parts, states, strict=True):
    part.rng_state, part.np_rng = rng_state, np_rng


def _parts(task: Any) -> list[Any]:
  return list(task.metadata.tasks) if task.is_aggregate else [task]


def _check_any(summary: Summary) -> None:
  tasks = [task for of_list in summary.lists for task in of_list.tasks]
  if not any(task.scores for task in tasks):
    first, why = next(iter(summary.unreachable.items()), ('none given', ''))
    raise OSError(
      f'None of {len(tasks)} tasks could be evaluated; the first, {first}: '
      f'{why}. Local files need no network: see --data.'
    )
