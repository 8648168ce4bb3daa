"""Makes what a run reads: tokenizer, held-out texts, tokenised records.

Text comes out of seqio Tasks, through TensorFlow; from there on it is plain
Python, with sentencepiece instead of tf_text. The trainer starts this as a
process of its own (`gemb cache`), and so never imports TensorFlow itself.
"""

import dataclasses
import hashlib
import itertools
import json
import pathlib
import random
import shutil
from collections.abc import Iterable, Iterator
from typing import TypeVar

import numpy as np
import sentencepiece
import tqdm
from array_record.python import array_record_module

import gemb
from gemb import files
from gemb.data import examples, tasks
from gemb.data.config import DataConfig
from gemb.data.examples import Example
from gemb.data.records import (
  CacheSpec,
  Record,
  make_spec,
  read_manifest,
  text_id,
)
from gemb.data.tokenizer import (
  Tokenizer,
  load_tokenizer,
  tokenizer_path,
  train_tokenizer,
)
from gemb.prompts import Prompt

T = TypeVar('T')

_AT_ONCE = 4096  # examples tokenised in one call
_SEED = 0  # of the texts that a tokenizer is trained on


def build(config: DataConfig) -> None:
  """Makes whatever is missing, or was made from an older source.

  Raises:
    ValueError: on an unknown task, or an archive or tokenizer that is not what
      it should be.
  """
  tasks.import_modules(config)
  for task in (*config.rates, *config.held_out):
    tasks.get(task)
  for task in (*config.rates, *config.held_out):
    _write_texts(task)
  tokenizer = _tokenizer(config)
  held_out = _held_out_texts(config)
  for task in config.rates:
    spec = make_spec(config, task, tokenizer)
    if _is_current(spec):
      print(f'{task}: cached at {spec.folder}')
      continue
    _write_records(spec, config.prompt(task), tokenizer, held_out)


def _write_texts(task: str) -> None:
  source = tasks.source_name(task)
  if examples.texts_source(task) != source:
    examples.write_texts(task, source, _progress(tasks.read(task), task))


def _held_out_texts(config: DataConfig) -> set[str]:
  texts = set()
  for task in config.held_out:
    for example in examples.read_texts(task):
      texts.add(examples.normalise(example.query))
      texts.add(examples.normalise(example.positive))
  return texts


def _tokenizer(config: DataConfig) -> Tokenizer:
  path = tokenizer_path(config.tokenizer)
  if config.tokenizer.path is not None or path.is_file():
    return load_tokenizer(config.tokenizer)
  texts = _sample_texts(config)
  print(
    f'Training a tokenizer of {config.tokenizer.vocabulary:,} pieces on '
    f'{len(texts):,} texts'
  )
  return train_tokenizer(
    config.tokenizer,
    texts,
    tasks=list(config.rates),
    prompts=sorted(_prompt_prefixes(config)),
  )


def _sample_texts(config: DataConfig) -> list[str]:
  """Draws texts as they are written, from each task by its rate."""
  total = sum(config.rates.values())
  texts = []
  for task, rate in config.rates.items():
    count = int(config.tokenizer.texts * rate / total / 2)
    for example in _draw(examples.read_texts(task), count):
      texts += [example.query, example.positive]
  return texts


def _prompt_prefixes(config: DataConfig) -> set[str]:
  """Returns what the templates of all tasks put before a text."""
  prompts = [config.prompt(task) for task in config.rates]
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


def _is_current(spec: CacheSpec) -> bool:
  try:
    manifest = read_manifest(spec)
  except FileNotFoundError:
    return False
  if manifest['sources'] == _sources(spec):
    return True
  made_from = ', '.join(manifest['sources'].values())
  print(f'{spec.task}: the cache of {made_from} is outdated and made anew')
  shutil.rmtree(spec.folder)
  return False


def _sources(spec: CacheSpec) -> dict[str, str | None]:
  """Returns what decides the records, beside the spec: texts to drop too."""
  return {
    task: examples.texts_source(task) for task in (spec.task, *spec.held_out)
  }


def _write_records(
  spec: CacheSpec, prompt: Prompt, tokenizer: Tokenizer, held_out: set[str]
) -> None:
  """Writes a task's records and manifest, whole or not at all."""
  lengths, content = [], hashlib.blake2b(digest_size=16)
  seen = 0

  def clear_of_held_out() -> Iterator[Example]:
    nonlocal seen
    for example in examples.read_texts(spec.task):
      seen += 1
      sides = {example.query, example.positive}
      if held_out.isdisjoint(map(examples.normalise, sides)):
        yield example

  with files.write_folder(spec.folder) as folder:
    path = folder / 'records.array_record'
    # One record a group: records are read at random.
    writer = array_record_module.ArrayRecordWriter(str(path), 'group_size:1')
    records = _tokenise(clear_of_held_out(), prompt, tokenizer)
    for record in _progress(records, spec.task):
      data = record.to_bytes()
      writer.write(data)
      content.update(data)
      longest = max(map(len, record.negatives), default=0)
      lengths.append((len(record.query), len(record.positive), longest))
    writer.close()
    np.save(folder / 'lengths.npy', np.array(lengths, np.int32).reshape(-1, 3))
    _write_manifest(
      folder,
      spec,
      examples=len(lengths),
      dropped_held_out=seen - len(lengths),
      bytes=path.stat().st_size,
      content=content.hexdigest(),
    )
  print(
    f'{spec.task}: {len(lengths):,} examples, {seen - len(lengths):,} dropped '
    'since a held-out set has one of their texts'
  )


def _tokenise(
  stream: Iterable[Example], prompt: Prompt, tokenizer: Tokenizer
) -> Iterator[Record]:
  stream = iter(stream)
  while chunk := list(itertools.islice(stream, _AT_ONCE)):
    queries = tokenizer.encode([prompt.dress_query(e.query) for e in chunk])
    positives = tokenizer.encode(
      [prompt.dress_passage(e.positive) for e in chunk]
    )
    negatives = iter(
      tokenizer.encode(
        [prompt.dress_passage(n) for e in chunk for n in e.negatives]
      )
    )
    for example, query, positive in zip(chunk, queries, positives, strict=True):
      yield Record(
        name=example.id,
        query=query,
        positive=positive,
        negatives=[next(negatives) for _ in example.negatives],
        query_id=text_id(example.query),
        positive_id=text_id(example.positive),
      )


def _write_manifest(
  folder: pathlib.Path, spec: CacheSpec, **counts: int | str
) -> None:
  manifest = {
    'spec': dataclasses.asdict(spec),
    'sources': _sources(spec),
    **counts,
    'versions': {
      'gemb': gemb.__version__,
      'sentencepiece': sentencepiece.__version__,
    },
  }
  files.write_file(folder / 'manifest.json', json.dumps(manifest, indent=2))


def _progress(items: Iterable[T], task: str) -> Iterator[T]:
  """Shows a bar while the items pass, if there is a terminal."""
  yield from tqdm.tqdm(items, desc=task, unit=' pairs', disable=None)
