"""What a run is judged by: held-out tasks, at every prefix."""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal

import numpy as np

from gemb.data import examples
from gemb.data.config import DataConfig
from gemb.evals import bitext, bm25, retrieval
from gemb.evals.results import HEADLINE, ResultRow, Similarities

BITEXT: Literal['bitext'] = 'bitext'
# From texts as they were dressed to one embedding a row.
Encode = Callable[[Sequence[str]], np.ndarray]
# The queries' and the passages' embeddings, by task and set.
Vectors = dict[str, dict[str, tuple[np.ndarray, np.ndarray]]]

_EDGES = np.linspace(-1, 1, 81)


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvalConfig:
  """Held-out tasks, and how much of them.

  Attributes:
    every_steps: between evaluations while training; the last step has one.
    bitext: tasks whose sentences find their translations; pooled into one.
    retrieval: tasks whose queries find their passage among all.
    classification: tasks with labels, whose texts find the name of their class
      among all names (zero-shot: nothing is fitted).
    max_candidates: English texts that a language is searched in.
    min_candidates: languages with fewer are left out.
    max_candidates_in_training: the same for evaluations while training, which
      are so cheaper, and easier.
    mteb_prompts: {a task or a type of task of MTEB: a task string of
      gemb.prompts, or two templates}, where `gemb.prompts.BY_MTEB_TYPE` shall
      not hold.
  """

  every_steps: int
  bitext: tuple[str, ...] = ()
  retrieval: tuple[str, ...] = ()
  classification: tuple[str, ...] = ()
  max_candidates: int = 500
  min_candidates: int = 50
  max_candidates_in_training: int = 100
  mteb_prompts: dict[str, str | tuple[str, str]] = dataclasses.field(
    default_factory=dict
  )

  def __post_init__(self):
    if self.every_steps < 1:
      raise ValueError(
        f'EvalConfig.every_steps is {self.every_steps}; it must be at least 1.'
      )

  @property
  def tasks(self) -> tuple[str, ...]:
    """All held-out tasks."""
    return self.bitext + self.retrieval + self.classification


@dataclasses.dataclass(frozen=True, kw_only=True)
class SearchSet:
  """Queries, what they are searched in, and which passage answers each.

  Attributes:
    queries: as written.
    passages: as written, distinct.
    dressed_queries: the same with their prompts.
    dressed_passages: the same with their prompts.
    positive: for each query the index of its passage.
  """

  queries: tuple[str, ...]
  passages: tuple[str, ...]
  dressed_queries: tuple[str, ...]
  dressed_passages: tuple[str, ...]
  positive: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvalTask:
  """One line of the results: a set, or one for each language."""

  name: str
  kind: Literal['bitext', 'retrieval', 'classification']
  sets: dict[str, SearchSet]


def load_tasks(
  config: EvalConfig, data: DataConfig, *, in_training: bool
) -> list[EvalTask]:
  """Reads the held-out texts and chooses the sets.

  Raises:
    FileNotFoundError: if `gemb cache` has not been run.
    ValueError: if a task holds too little.
  """
  tasks = []
  if config.bitext:
    tasks.append(_bitext_task(config, data, in_training))
  for name in config.retrieval:
    found = list(examples.read_texts(name))
    passages, positive = retrieval.index_passages([e.positive for e in found])
    dressed = _dress(data, name, [e.query for e in found], passages, positive)
    tasks.append(EvalTask(name=name, kind='retrieval', sets={name: dressed}))
  for name in config.classification:
    found = _label_set(data, name)
    tasks.append(EvalTask(name=name, kind='classification', sets={name: found}))
  return tasks


def embed(tasks: Iterable[EvalTask], encode: Encode) -> Vectors:
  """Returns the embeddings of each task's sets; each text is embedded once."""
  return {task.name: _embed(task, encode) for task in tasks}


def rank(
  tasks: Iterable[EvalTask], vectors: Vectors, prefixes: Sequence[int]
) -> Iterator[tuple[EvalTask, int, dict[str, np.ndarray]]]:
  """Yields the ranks of every task at every prefix, by set."""
  for task in tasks:
    for prefix in prefixes:
      yield (
        task,
        prefix,
        {
          name: retrieval.rank_positives(
            retrieval.truncate(queries, prefix),
            retrieval.truncate(passages, prefix),
            task.sets[name].positive,
          )
          for name, (queries, passages) in vectors[task.name].items()
        },
      )


def rank_by_bm25(
  tasks: Iterable[EvalTask],
) -> Iterator[tuple[EvalTask, None, dict[str, np.ndarray]]]:
  """Yields BM25's ranks of every task, by set, on the texts as written."""
  for task in tasks:
    yield (
      task,
      None,
      {
        name: bm25.bm25_ranks(found.queries, found.passages, found.positive)
        for name, found in task.sets.items()
      },
    )


def make_row(
  system: str, task: EvalTask, prefix: int | None, ranks: dict[str, np.ndarray]
) -> ResultRow:
  """Returns the metrics of one system at one prefix on one task."""
  row = ResultRow(
    system=system,
    prefix=prefix,
    task=task.name,
    kind=task.kind,
    metrics={},
    candidates=max(len(found.passages) for found in task.sets.values()),
    queries=sum(len(found.queries) for found in task.sets.values()),
  )
  if task.kind == BITEXT:
    row['by_language'] = bitext.accuracy_by_language(ranks)
    row['metrics'] = {
      'accuracy': bitext.mean_over_languages(row['by_language'])
    }
    return row
  found = retrieval.retrieval_metrics(np.concatenate(list(ranks.values())))
  if task.kind == 'classification':
    found = {'accuracy': found['recall@1'], 'mrr@10': found['mrr@10']}
  row['metrics'] = found
  return row


def scores(
  tasks: Sequence[EvalTask], encode: Encode, prefixes: Sequence[int]
) -> dict[str, float]:
  """Returns {'task/metric@prefix': value}, one metric a task."""
  found = {}
  vectors = embed(tasks, encode)
  for task, prefix, ranks in rank(tasks, vectors, prefixes):
    metric = HEADLINE[task.kind]
    row = make_row('gemb', task, prefix, ranks)
    found[_score_name(task.name, task.kind, prefix)] = row['metrics'][metric]
  return found


def score_names(config: EvalConfig, prefixes: Sequence[int]) -> list[str]:
  """Returns the names that `scores` will give."""
  kinds = {BITEXT: BITEXT} if config.bitext else {}
  kinds |= dict.fromkeys(config.retrieval, 'retrieval')
  kinds |= dict.fromkeys(config.classification, 'classification')
  return [
    _score_name(task, kind, prefix)
    for task, kind in kinds.items()
    for prefix in prefixes
  ]


def similarities(
  tasks: Iterable[EvalTask], vectors: Vectors
) -> dict[str, Similarities]:
  """Returns histograms of the cosines of positives, and of other passages."""
  found = {}
  for task in tasks:
    positive = np.zeros(len(_EDGES) - 1, np.int64)
    negative = positive.copy()
    for name, (queries, passages) in vectors[task.name].items():
      scores_QN = _units(queries) @ _units(passages).T
      right = task.sets[name].positive[:, None]
      of_positive = np.take_along_axis(scores_QN, right, axis=1)
      counts = _histogram(of_positive)
      positive += counts
      negative += _histogram(scores_QN) - counts
    found[task.name] = Similarities(
      positive=positive.tolist(),
      negative=negative.tolist(),
      edges=_EDGES.tolist(),
    )
  return found


def _score_name(task: str, kind: str, prefix: int) -> str:
  return f'{task}/{HEADLINE[kind]}@{prefix}'


def _bitext_task(
  config: EvalConfig, data: DataConfig, in_training: bool
) -> EvalTask:
  pairs = [
    bitext.BitextPair(
      id=f'{name}:{e.id}',
      language=e.language,
      query=e.query,
      passage=e.positive,
    )
    for name in config.bitext
    for e in examples.read_texts(name)
  ]
  most = config.max_candidates
  if in_training:
    most = min(most, config.max_candidates_in_training)
  chosen = bitext.select_languages(
    pairs,
    max_candidates=most,
    min_candidates=min(most, config.min_candidates),
  )
  sets = {
    language: _dress(
      data, config.bitext[0], found.queries, found.candidates, found.positive
    )
    for language, found in chosen.items()
  }
  return EvalTask(name=BITEXT, kind=BITEXT, sets=sets)


def _label_set(data: DataConfig, task: str) -> SearchSet:
  """Returns a task's distinct texts, which are to find their class's name."""
  labels = {e.query: e.label for e in examples.read_texts(task)}
  if missing := [query for query, label in labels.items() if not label]:
    raise ValueError(
      f'EvalConfig.classification names {task!r}, in which {missing[0]!r} has '
      'no label; name it in EvalConfig.retrieval.'
    )
  names, positive = retrieval.index_passages(list(labels.values()))
  return _dress(data, task, list(labels), names, positive)


def _dress(
  data: DataConfig,
  task: str,
  queries: Sequence[str],
  passages: Sequence[str],
  positive: np.ndarray,
) -> SearchSet:
  prompt = data.prompt(task)
  return SearchSet(
    queries=tuple(queries),
    passages=tuple(passages),
    dressed_queries=tuple(map(prompt.dress_query, queries)),
    dressed_passages=tuple(map(prompt.dress_passage, passages)),
    positive=positive,
  )


def _embed(
  task: EvalTask, encode: Encode
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
  """Returns the embeddings of each set's queries and passages."""
  sides = [
    side
    for found in task.sets.values()
    for side in (found.dressed_queries, found.dressed_passages)
  ]
  vectors = encode(list(itertools.chain.from_iterable(sides)))
  parts = np.split(vectors, np.cumsum([len(side) for side in sides])[:-1])
  pairs = zip(parts[::2], parts[1::2], strict=True)
  return dict(zip(task.sets, pairs, strict=True))


def _units(vectors: np.ndarray) -> np.ndarray:
  return retrieval.truncate(vectors, vectors.shape[1])


def _histogram(cosines: np.ndarray) -> np.ndarray:
  # Rounding may put the cosine of equal vectors a little past 1.
  return np.histogram(np.clip(cosines, -1, 1), _EDGES)[0]
