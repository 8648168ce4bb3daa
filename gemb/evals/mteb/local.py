"""Local sets as tasks: MTEB's evaluators, with data out of files."""

import pathlib
from typing import Any, cast

from gemb.evals.mteb.files import CLASSIFICATION, RETRIEVAL, Row
from gemb.evals.mteb.sets import EvalSet, read_sets
from gemb.evals.mteb.tasks import TaskList

# The evaluator of each kind, the score it is known by, and its settings.
_EVALUATORS: dict[str, tuple[str, str, dict[str, Any]]] = {
  'BitextMining': ('AbsTaskBitextMining', 'f1', {}),
  'STS': ('AbsTaskSTS', 'cosine_spearman', {}),
  'PairClassification': (
    'AbsTaskPairClassification',
    'max_ap',
    {'label_column_name': 'label'},
  ),
  CLASSIFICATION: ('AbsTaskClassification', 'accuracy', {}),
  'Clustering': (
    'AbsTaskClustering',
    'v_measure',
    {
      'input_column_name': 'text',
      'label_column_name': 'cluster',
      'max_fraction_of_documents_to_embed': None,
    },
  ),
  RETRIEVAL: ('AbsTaskRetrieval', 'ndcg_at_10', {}),
}


def local_tasks(folder: pathlib.Path) -> TaskList:
  """Returns the sets of a folder as tasks; `files.py` has the format.

  Raises:
    FileNotFoundError: if there is no such folder, or nothing to read in it.
    ValueError: if a file is damaged, fits no kind of task, or does not go
      together with the others of its NAME.
  """
  tasks = tuple(_make_task(found) for found in read_sets(folder))
  return TaskList(name=folder.absolute().name, tasks=tasks)


def _make_task(found: EvalSet) -> Any:
  from mteb import abstasks
  from mteb.abstasks.task_metadata import TaskMetadata

  evaluator, main_score, settings = _EVALUATORS[found.kind]
  metadata = TaskMetadata(
    name=found.name,
    description='Local files.',
    type=cast('Any', found.kind),
    dataset={'path': f'local/{found.name}', 'revision': found.revision},
    eval_splits=found.scored,
    # Of unknown script: MTEB insists on one.
    eval_langs={language: [f'{language}-Zyyy'] for language in found.rows},
    main_score=main_score,
    domains=['Programming'] if found.programming else [],
  )
  make = _searches if found.kind == RETRIEVAL else _tables

  def load_data(self, **_) -> None:
    self.dataset = {
      language: make(found, language, splits)
      for language, splits in found.rows.items()
    }
    self.data_loaded = True

  members = {'metadata': metadata, 'load_data': load_data, **settings}
  return type(found.name, (getattr(abstasks, evaluator),), members)()


def _tables(found: EvalSet, _: str, splits: dict[str, list[Row]]) -> Any:
  import datasets

  if found.kind == CLASSIFICATION:
    # MTEB's metrics want numbers.
    labels = sorted({row['label'] for rows in splits.values() for row in rows})
    number = {label: n for n, label in enumerate(labels)}
    splits = {
      split: [row | {'label': number[row['label']]} for row in rows]
      for split, rows in splits.items()
    }
  tables = datasets.DatasetDict()
  for split, rows in splits.items():
    tables[split] = datasets.Dataset.from_list(rows)
  return tables


def _searches(
  found: EvalSet, language: str, splits: dict[str, list[Row]]
) -> dict[str, Any]:
  import datasets

  corpus = datasets.Dataset.from_list(
    [{'title': ''} | row for row in found.passages(language)]
  )
  searches = {}
  for split, rows in splits.items():
    ids = {query: f'query {n}' for n, query in enumerate(_queries(rows))}
    relevant: dict[str, dict[str, int]] = {}
    for row in rows:
      of_query = relevant.setdefault(ids[row['query']], {})
      of_query[row['id']] = int(row.get('score', 1))
    searches[split] = {
      'corpus': corpus,
      'queries': datasets.Dataset.from_list(
        [{'id': ids[query], 'text': query} for query in ids]
      ),
      'relevant_docs': relevant,
      'top_ranked': None,
    }
  return searches


def _queries(rows: list[Row]) -> list[str]:
  return list(dict.fromkeys(row['query'] for row in rows))
