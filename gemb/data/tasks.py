"""The seqio registry: a Task of text for each corpus, Mixtures of tokens.

A Task of text yields the strings 'query' and 'positive', and may yield 'id',
'language' and 'negatives' (a list of strings). Importing this module registers
one for every corpus; `add` registers one's own. `add_mixture` registers what a
run trains on as a seqio Mixture of token ids, for any other seqio user.
"""

import difflib
import functools
import importlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import seqio
import tensorflow as tf
import tensorflow_datasets as tfds

from gemb.data import corpora, preprocessors
from gemb.data.config import DataConfig
from gemb.data.examples import Example
from gemb.data.tokenizer import Tokenizer

_READ_AT_ONCE = 1024  # examples; one at a time is thirty times slower
_TEXT = seqio.Feature(
  seqio.PassThroughVocabulary(1), add_eos=False, dtype=tf.string, rank=0
)


def add(
  name: str,
  source: seqio.DataSource,
  preprocessors: Sequence[Callable] = (),
) -> seqio.Task:
  """Registers a Task of text pairs.

  Args:
    name: letters, digits, '_', '.' and ':'.
    source: any seqio source, with a split 'train' to train on or 'test' to
      hold out.
    preprocessors: seqio preprocessors whose last yields 'query' and 'positive'
      as strings.

  Raises:
    ValueError: if the name is taken.
  """
  return seqio.TaskRegistry.add(
    name,
    source=cast(Any, source),  # seqio's sources do not fit seqio's own type
    preprocessors=list(preprocessors),
    output_features={'query': _TEXT, 'positive': _TEXT},
  )


def add_mixture(config: DataConfig, tokenizer: Tokenizer) -> seqio.Mixture:
  """Registers what a run trains on as seqio's Mixture `config.name`.

  Its Tasks are called <mixture>.<task>, and yield 'query' and 'positive' as
  token ids with the run's prompts.
  """
  vocabulary = seqio.SentencePieceVocabulary(str(tokenizer.path))
  feature = seqio.Feature(vocabulary, add_eos=False)
  for name in config.rates:
    task = get(name)
    seqio.TaskRegistry.add(
      f'{config.name}.{name}',
      source=cast(Any, task.source),
      preprocessors=[
        *task.preprocessors,
        functools.partial(preprocessors.dress, prompt=config.prompt(name)),
        preprocessors.tokenize,
      ],
      output_features={'query': feature, 'positive': feature},
    )
  return seqio.MixtureRegistry.add(
    config.name,
    [(f'{config.name}.{name}', rate) for name, rate in config.rates.items()],
  )


def import_modules(config: DataConfig) -> None:
  """Imports the modules that register the user's Tasks.

  Raises:
    ValueError: if one cannot be found.
  """
  for module in config.modules:
    try:
      importlib.import_module(module)
    except ModuleNotFoundError as error:
      if not f'{module}.'.startswith(f'{error.name}.'):
        raise
      raise ValueError(
        f'DataConfig.modules names {module!r}, which cannot be imported; run '
        'from the folder that holds it, or put that on PYTHONPATH.'
      ) from error


def get(name: str) -> seqio.Task:
  """Returns a registered Task.

  Raises:
    ValueError: on an unknown name, with the nearest ones.
  """
  known = [n for n in seqio.TaskRegistry.names() if _is_text(n)]
  if name not in known:
    near = difflib.get_close_matches(name, known, n=3, cutoff=0)
    raise ValueError(
      f'There is no task {name!r}; the nearest are {near}. If it is your own, '
      'name the module that adds it in DataConfig.modules.'
    )
  return seqio.TaskRegistry.get(name)


def read(name: str) -> Iterator[Example]:
  """Yields the texts of a Task's only split, always in the same order.

  Raises:
    ValueError: if the Task is unknown, or has not exactly one of the splits
      'train' and 'test'.
  """
  task = get(name)
  splits = [split for split in ('train', 'test') if split in task.splits]
  if len(splits) != 1:
    raise ValueError(
      f'Task {name!r} has the splits {sorted(task.splits)}; gemb wants either '
      "'train' or 'test'."
    )
  dataset = task.get_dataset(
    None, split=splits[0], shuffle=False, try_in_mem_cache=False
  )
  number = 0
  for batch in dataset.ragged_batch(_READ_AT_ONCE):
    for example in _rows(batch):
      yield _example(example, number)
      number += 1


def source_name(name: str) -> str:
  """Returns what a Task's text is read from: a corpus with its version."""
  if name in corpora.CORPORA:
    return corpora.CORPORA[name](data_dir=corpora.folder()).info.full_name
  return f'seqio task {name}'


def _corpus_source(name: str) -> seqio.FunctionDataSource:
  """Returns a source that prepares the corpus when it is first read."""

  def dataset(split: str, shuffle_files: bool, seed: int | None = None):
    del seed  # the loader shuffles, not the source
    # One file after another: which example a number means must not depend on
    # the machine.
    return corpora.prepare(name).as_dataset(
      split=split,
      shuffle_files=shuffle_files,
      read_config=tfds.ReadConfig(interleave_cycle_length=1),
    )

  split = 'test' if name in corpora.HELD_OUT else 'train'
  return seqio.FunctionDataSource(dataset, splits=(split,))


def _is_text(name: str) -> bool:
  features = seqio.TaskRegistry.get(name).output_features
  return features.get('query') == _TEXT


def _rows(batch: dict) -> Iterator[dict]:
  columns = {}
  for name, column in batch.items():
    ragged = isinstance(column, tf.RaggedTensor)
    columns[name] = column.to_list() if ragged else column.numpy().tolist()
  for values in zip(*columns.values(), strict=True):
    yield dict(zip(columns, values, strict=True))


def _example(values: dict, number: int) -> Example:
  return Example(
    id=values.get('id', str(number).encode()).decode(),
    language=values.get('language', b'und').decode(),
    query=values['query'].decode(),
    positive=values['positive'].decode(),
    negatives=tuple(text.decode() for text in values.get('negatives', ())),
  )


for _name in corpora.CORPORA:
  add(_name, _corpus_source(_name))
