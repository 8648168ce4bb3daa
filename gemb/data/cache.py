"""Makes what a run reads: texts, tokenizer, tokenised records.

Text comes out of seqio Tasks, through TensorFlow, in this process; from there
on it is plain Python, with sentencepiece instead of tf_text, in as many
processes as there are cores and on as many machines as share the data folder.
The trainer starts this as a process of its own (`gemb cache`), and so never
imports TensorFlow itself.
"""

import collections
import contextlib
import errno
import os
import random
from collections.abc import Iterable, Iterator

import tqdm

from gemb.data import examples, locks, tasks
from gemb.data.archives import data_dir, make_folder
from gemb.data.caching.jobs import Job, prepare_job
from gemb.data.caching.merging import complete_job
from gemb.data.caching.workers import make_shards
from gemb.data.config import DataConfig
from gemb.data.examples import Example
from gemb.data.specs import make_specs
from gemb.data.tokenizer import (
  Tokenizer,
  load_tokenizer,
  tokenizer_path,
  train_tokenizer,
)

_SEED = 0  # of the texts that a tokenizer is trained on
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def build(
  config: DataConfig,
  *,
  processes: int | None = None,
  machine: int = 0,
  machines: int = 1,
) -> None:
  """Makes whatever is missing, or was made from an older source.

  Several of these may run at once, on one machine or on many.

  Args:
    config: of the run's data.
    processes: that tokenise at once; None: one a core.
    machine: which part of the shards is made here, from 0.
    machines: how many share the shards, each with a part of its own.

  Raises:
    OSError: if something cannot be written, for want of space or rights.
    RuntimeError: if a process dies, or pip cannot download an archive.
    ValueError: on an unknown task, or an archive, tokenizer or side file that
      is not what it should be.
  """
  jobs = prepare(config)
  with _told_of_a_full_disk():
    make_shards(
      jobs,
      processes=processes or os.cpu_count() or 1,
      machine=machine,
      machines=machines,
    )
    for job in jobs:
      print(complete_job(job))


def prepare(config: DataConfig) -> list[Job]:
  """Makes texts and tokenizer, and returns the jobs that are left to do.

  Raises:
    OSError: if something cannot be written, for want of space or rights.
    RuntimeError: if pip cannot download an archive.
    ValueError: as `build` does.
  """
  tasks.import_modules(config)
  sampled = [] if config.tokenizer.path else config.tokenizer.rates
  needed = dict.fromkeys((*config.rates, *config.held_out, *sampled))
  for task in needed:
    tasks.get(task)
  with _told_of_a_full_disk():
    for task in needed:
      _write_texts(task)
    tokenizer = _tokenizer(config)
    return list(_jobs(config, tokenizer))


def _jobs(config: DataConfig, tokenizer: Tokenizer) -> Iterator[Job]:
  for task in config.rates:
    for spec in make_specs(config, task, tokenizer):
      job = prepare_job(config, spec, tokenizer)
      if job is None:
        print(f'{task}: cached at {spec.folder}')
      else:
        yield job


def _write_texts(task: str) -> None:
  """Writes a task's texts, unless they are there; others wait meanwhile."""
  source, path = tasks.source_name(task), examples.texts_path(task)
  with locks.hold(make_folder(path.parent) / f'.{path.name}.lock'):
    if examples.texts_source(task) != source:
      for left in path.parent.glob(f'.{path.name}.*.tmp'):
        left.unlink()  # by a killed process
      counts = collections.Counter()
      examples.write_texts(task, source, _read(task, counts), counts)
      print(f'{task}: {counts["examples"]:,} examples of {source}')


def _read(task: str, counts: collections.Counter[str]) -> Iterator[Example]:
  """Yields a task's examples and counts them, with a bar on a terminal."""
  read = tasks.read(task, counts)
  for example in tqdm.tqdm(read, desc=task, unit=' pairs', disable=None):
    counts['examples'] += 1
    yield example


def _tokenizer(config: DataConfig) -> Tokenizer:
  """Returns the run's tokenizer, trained if need be; others wait meanwhile."""
  wanted = config.tokenizer
  if wanted.path is not None:
    return load_tokenizer(wanted)
  path = tokenizer_path(wanted)
  with locks.hold(make_folder(path.parent) / '.lock'):
    if path.is_file():
      return load_tokenizer(wanted)
    rates = dict(sorted(wanted.rates.items())) or config.rates
    texts = _sample_texts(rates, wanted.texts)
    print(
      f'Training a tokenizer of {wanted.vocabulary:,} pieces on '
      f'{len(texts):,} texts'
    )
    # Whatever tasks of its own a run has, the same rates and prompts give the
    # same tokenizer.
    prompted = config.prompts if wanted.rates else config.rates
    return train_tokenizer(
      wanted,
      texts,
      tasks=list(rates),
      prompts=sorted(_prompt_prefixes(config, prompted)),
    )


def _sample_texts(rates: dict[str, float], most: int) -> list[str]:
  """Draws texts as they are written, from each task by its rate."""
  total = sum(rates.values())
  texts = []
  for task, rate in rates.items():
    count = int(most * rate / total / 2)
    for example in _draw(examples.read_texts(task), count):
      texts += [example.query, example.positive]
  return texts


def _prompt_prefixes(config: DataConfig, tasks: Iterable[str]) -> set[str]:
  """Returns what the templates of some tasks put before a text."""
  prompts = [config.prompt(task) for task in tasks]
  templates = {t for p in prompts for t in (p.query, p.passage)}
  return {template.split('{text}')[0] for template in templates} - {''}


def _draw(stream: Iterable[Example], count: int) -> list[Example]:
  """Draws evenly from a stream of unknown length (algorithm R)."""
  generator = random.Random(_SEED)
  drawn = []
  for number, example in enumerate(stream):
    if number < count:
      drawn.append(example)
    elif (place := generator.randrange(number + 1)) < count:
      drawn[place] = example
  return drawn


@contextlib.contextmanager
def _told_of_a_full_disk() -> Iterator[None]:
  try:
    yield
  except OSError as error:
    if error.errno not in _FULL:
      raise
    raise OSError(
      f'The data folder {data_dir()} takes no more ({error.strerror}). Free '
      'some space, or name another folder in GEMB_DATA, and run the same '
      'command again: what is finished is kept.'
    ) from error
