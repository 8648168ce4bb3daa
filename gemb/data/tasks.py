"""The seqio registry: a Task of text for each corpus, Mixtures of tokens.

A Task of text yields the strings 'query' and 'positive', and may yield 'id',
'language', 'label' and 'negatives' (a list of strings). Importing this module
registers one for every corpus; `add_sources` registers the sources of a config,
and `add` any other. `add_mixture` registers what a run trains on as a seqio
Mixture of token ids, for any other seqio user.
"""

import collections
import difflib
import functools
import importlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import seqio
import tensorflow as tf
import tensorflow_datasets as tfds

from gemb.data import corpora, intake, preprocessors
from gemb.data.config import DataConfig
from gemb.data.examples import Example
from gemb.data.readers.libraries import batch_rows
from gemb.data.sources import SourceConfig
from gemb.data.tokenizer import Tokenizer

_READ_AT_ONCE = 1024  # examples; one at a time is thirty times slower
_TEXT = seqio.Feature(
  seqio.PassThroughVocabulary(1), add_eos=False, dtype=tf.string, rank=0
)
_SIGNATURE = {
  **dict.fromkeys(
    ('id', 'language', 'query', 'positive', 'label'),
    tf.TensorSpec([], tf.string),
  ),
  'negatives': tf.TensorSpec([None], tf.string),
}
_sources: dict[str, SourceConfig] = {}  # by the names of their Tasks


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
  """Registers the user's Tasks: those that modules add, and the sources.

  Raises:
    FileNotFoundError: if a source's file is not there.
    ValueError: if a module cannot be found, or a source is not as it is told.
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
  add_sources(config)


def add_sources(config: DataConfig) -> None:
  """Registers one's own data, once all of it is known to be there.

  Each Task has the split 'test' if it is held out, else 'train'. A source that
  an earlier call registered gives way to one of the same name.

  Raises:
    FileNotFoundError: if a file is not there.
    ValueError: if a name is taken, or a source is not as it is told.
  """
  for source in config.sources:
    if source.task in _sources:
      del _sources[source.task]
      seqio.TaskRegistry.remove(source.task)
    if source.task in seqio.TaskRegistry.names():
      kind = 'a corpus' if source.task in corpora.CORPORA else 'a task'
      raise ValueError(
        f'SourceConfig.task is {source.task!r}, which is the name of {kind} '
        'already; choose another.'
      )
    intake.check(source)
  for source in config.sources:
    split = 'test' if source.task in config.held_out else 'train'
    add(source.task, _own_source(source, split))
    _sources[source.task] = source


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
      'describe it in DataConfig.sources, or name the module that adds it in '
      'DataConfig.modules.'
    )
  return seqio.TaskRegistry.get(name)


def read(
  name: str, counts: collections.Counter[str] | None = None
) -> Iterator[Example]:
  """Yields the texts of a Task's only split, always in the same order.

  Args:
    name: of the Task.
    counts: 'bad' is added to it: rows of one's own data that were left out.

  Raises:
    ValueError: if the Task is unknown, has not exactly one of the splits
      'train' and 'test', or too many of a source's rows are malformed.
  """
  task = get(name)
  if name in _sources:  # without a detour through TensorFlow
    yield from intake.read(_sources[name], counts)
    return
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
    for example in batch_rows(batch):
      yield _example(example, number)
      number += 1


def source_name(name: str) -> str:
  """Returns what a Task's text is read from, and changes when that does.

  A corpus has a version and a source its content; of a Task that a module adds
  no more than the name is known.
  """
  if name in _sources:
    return intake.identity(_sources[name])
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


def _own_source(config: SourceConfig, split: str) -> seqio.FunctionDataSource:
  """Returns a source whose Examples come as any other Task's."""

  def rows() -> Iterator[dict[str, Any]]:
    for example in intake.read(config):
      yield {field: getattr(example, field) for field in _SIGNATURE}

  def dataset(split: str, shuffle_files: bool, seed: int | None = None):
    del split, shuffle_files, seed  # one split, in the order of its rows
    return tf.data.Dataset.from_generator(rows, output_signature=_SIGNATURE)

  return seqio.FunctionDataSource(dataset, splits=(split,))


def _is_text(name: str) -> bool:
  features = seqio.TaskRegistry.get(name).output_features
  return features.get('query') == _TEXT


def _example(values: dict, number: int) -> Example:
  return Example(
    id=values.get('id', str(number).encode()).decode(),
    language=values.get('language', b'und').decode(),
    query=values['query'].decode(),
    positive=values['positive'].decode(),
    negatives=tuple(text.decode() for text in values.get('negatives', ())),
    label=values.get('label', b'').decode(),
  )


for _name in corpora.CORPORA:
  add(_name, _corpus_source(_name))
