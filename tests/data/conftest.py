"""Tiny archives in the shape of real ones, golden files, small caches.

gemb is imported inside the fixtures: pytest loads this file before jaxtyping's
import hook is there.
"""

import dataclasses
import hashlib
import json
import pathlib
import struct
import zipfile

import numpy as np
import pytest
from array_record.python import array_record_module

TESTS = pathlib.Path(__file__).parents[1]


@pytest.fixture
def golden():
  """Returns the folder of golden files."""
  return TESTS / 'golden'


@pytest.fixture
def data_folder(tmp_path, monkeypatch):
  """Returns the data folder that gemb is pointed to; it is not there yet."""
  monkeypatch.setenv('GEMB_DATA', str(tmp_path / 'data'))
  return tmp_path / 'data'


@pytest.fixture
def tokenizer(golden):
  """Returns the golden tokenizer: 4,096 pieces, Gemma's options."""
  from gemb.data.tokenizer import Tokenizer

  return Tokenizer(golden / 'tokenizer.model')


@pytest.fixture
def make_config(golden):
  """Makes a DataConfig of small batches; changes are its fields."""
  from gemb.data.config import DataConfig, TokenizerConfig

  def make(**changes):
    rates = changes.pop('rates', {'golden_pairs': 1.0})
    held_out = changes.get('held_out', ())
    return DataConfig(
      **{
        'name': 'small',
        'rates': rates,
        'prompts': dict.fromkeys((*rates, *held_out), 'search result'),
        'tokenizer': TokenizerConfig(path=str(golden / 'tokenizer.model')),
        'batch_size': 8,
        'shapes': ((8, 8), (8, 16), (16, 16), (32, 32)),
        **changes,
      }
    )

  return make


@pytest.fixture
def write_cache(data_folder):
  """Writes a cache as `gemb cache` does, without TensorFlow; returns it."""
  from gemb.data.records import WRITER_OPTIONS, Records, shard_name

  def write(spec, records):
    spec.folder.mkdir(parents=True)
    most = max((len(record.negatives) for record in records), default=0)
    lengths = np.zeros((len(records), 2 + most), np.int32)
    for row, record in zip(lengths, records, strict=True):
      texts = record.query, record.positive, *record.negatives
      row[: len(texts)] = [len(text) for text in texts]
    np.save(spec.folder / 'lengths.npy', lengths)
    shards, content = [], hashlib.blake2b()
    half = -(-len(records) // 2)
    for number, some in enumerate((records[:half], records[half:])):
      path = spec.folder / shard_name(number, 2)
      writer = array_record_module.ArrayRecordWriter(str(path), WRITER_OPTIONS)
      for record in some:
        writer.write(record.to_bytes())
        content.update(record.to_bytes())
      writer.close()
      shards.append(
        {
          'file': path.name,
          'examples': len(some),
          'bytes': path.stat().st_size,
        }
      )
    manifest = {
      'spec': dataclasses.asdict(spec),
      'examples': len(records),
      'shards': shards,
      'content': content.hexdigest(),
    }
    (spec.folder / 'manifest.json').write_text(json.dumps(manifest))
    return Records(spec)

  return write


@pytest.fixture
def golden_texts(golden, data_folder):
  """Writes the golden texts as `gemb cache` does, without TensorFlow."""
  from gemb.data.examples import Example, write_texts

  for name in 'pairs', 'held_out':
    lines = (golden / f'{name}.jsonl').read_text().splitlines()
    values = [json.loads(line) for line in lines]
    found = [
      Example(**v | {'negatives': tuple(v['negatives'])}) for v in values
    ]
    write_texts(f'golden_{name}', 'golden', found)


@pytest.fixture
def prepare(golden_texts, make_config, tokenizer, monkeypatch):
  """Prepares the jobs of the golden pairs; changes are a DataConfig's."""
  from gemb.data.caching import jobs
  from gemb.data.specs import make_specs

  def prepare_jobs(examples=100, **changes):
    monkeypatch.setattr(jobs, 'EXAMPLES', examples)
    config = make_config(**{'held_out': ('golden_held_out',), **changes})
    specs = make_specs(config, 'golden_pairs', tokenizer)
    return [jobs.prepare_job(config, spec, tokenizer) for spec in specs]

  return prepare_jobs


@pytest.fixture
def golden_tasks(monkeypatch):
  """Returns the module that registers seqio Tasks of the golden texts."""
  monkeypatch.syspath_prepend(str(TESTS))
  return 'golden_tasks'


@pytest.fixture
def write_wheel(tmp_path):
  """Writes {name: content} to a wheel and returns its path."""

  def write(files, name='tiny.whl'):
    path = tmp_path / name
    with zipfile.ZipFile(path, 'w') as archive:
      for file, content in files.items():
        archive.writestr(file, content)
    return path

  return write


@pytest.fixture
def compiled_catalogue():
  """Compiles {English message: translation} as msgfmt does."""

  def compile_messages(messages):
    messages = {'': 'Content-Type: text/plain; charset=UTF-8\n', **messages}
    keys = [key.encode() for key in sorted(messages)]
    values = [messages[key.decode()].encode() for key in keys]
    start = 28 + 16 * len(keys)
    tables, strings = [], b''
    for texts in keys, values:
      for text in texts:
        tables.append(struct.pack('<2I', len(text), start + len(strings)))
        strings += text + b'\0'
    head = struct.pack(
      '<7I', 0x950412DE, 0, len(keys), 28, 28 + 8 * len(keys), 0, 0
    )
    return head + b''.join(tables) + strings

  return compile_messages
