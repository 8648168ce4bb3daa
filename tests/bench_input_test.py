"""tools/bench_input: everyone reads the same, and what is counted is right."""

import dataclasses
import importlib
import pathlib
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture
def bench(monkeypatch):
  """Returns the benchmark's module."""
  monkeypatch.syspath_prepend(str(ROOT / 'tools'))
  return importlib.import_module('bench_input')


def depadded(row):
  return tuple(row[row != 0].tolist())


def test_everyone_reads_whole_pairs_of_the_same_examples(
  bench, tmp_path, monkeypatch
):
  monkeypatch.setenv('GEMB_DATA', str(tmp_path / 'data'))
  config = dataclasses.replace(bench.synthetic_config(), batch_size=16)
  bench.make_cache(config, 200)
  tokenizer = bench.load_tokenizer(config.tokenizer)
  records = bench.open_records(config, tokenizer)
  (synthetic,) = records[bench.TASK]
  pairs = {
    (tuple(record.query), tuple(record.positive))
    for record in synthetic.read(np.arange(200))
  }
  loader = bench.Loader(config, records, tokenizer, seed=0)
  for stream in (
    bench.Seqio(config, records, tmp_path / 'seqio')(1),
    bench.Grain(config, records, 1)(1),
    bench.read(loader, 1),
  ):
    read = set()
    for _ in range(6):
      query, positive, *_ = next(stream)
      assert len(query) == len(positive) == 16
      sides = map(depadded, query), map(depadded, positive)
      read |= set(zip(*sides, strict=True))
    stream.close()
    assert read <= pairs
    assert len(read) > 80


def test_a_hard_negative_that_an_example_lacks_is_padding(bench):
  peers = sys.modules['bench_input_peers']
  record = peers.Record(
    name='a',
    query=[2, 7, 1],
    positive=[2, 8, 9, 1],
    negatives=[],
    query_id=3,
    positive_id=4,
  )
  lengths = {'query': 4, 'positive': 3, 'negative_0': 3}
  rows = peers._lay_out(record.to_bytes(), lengths=lengths)
  assert {name: row.tolist() for name, row in rows.items()} == {
    'query': [2, 7, 1, 0],
    'positive': [2, 8, 9],
    'negative_0': [0, 0, 0],
  }


def test_tokens_and_padding_are_counted(bench):
  def stream():
    while True:
      yield [np.array([[5, 0, 0, 0]]), np.array([[5, 6, 7, 0]])]

  counted = bench.count(stream(), 1, 0.01)
  assert counted.tokens == 4 * counted.examples
  assert counted.places == 8 * counted.examples
  assert counted.wall >= 0.01


def test_the_table_compares_with_its_first_row(bench, capsys):
  slow = bench.Pass(examples=100, tokens=500, places=1000, wall=2.0, cpu=0.1)
  fast = dataclasses.replace(slow, wall=0.5)
  bench.print_table({'theirs': [slow] * 3, 'ours': [slow, fast, fast]})
  *_, theirs, ours = capsys.readouterr().out.splitlines()
  assert theirs.split() == ['theirs', '50', '250', '50.0%', '200.00', '1.00']
  assert ours.split() == ['ours', '200', '1,000', '50.0%', '200.00', '4.00']


def test_a_run_trains_padded_and_packed(
  bench, tiny_run, tiny_gin, monkeypatch, capsys
):
  arguments = [f'--gin_file={tiny_gin}', '--train', '--rounds=1', '--steps=1']
  monkeypatch.setattr(sys, 'argv', ['bench_input', *arguments])
  bench.main()
  *_, padded, packed = capsys.readouterr().out.splitlines()
  assert padded.startswith('gemb, padded to one of 1 shapes')
  assert packed.startswith('gemb, packed into rows of 32')


def test_a_cache_that_was_not_made_is_told(bench, tmp_path, monkeypatch):
  monkeypatch.setenv('GEMB_DATA', str(tmp_path))
  config = bench.synthetic_config()
  tokenizer = bench.load_tokenizer(config.tokenizer)
  with pytest.raises(SystemExit, match='run `gemb cache`'):
    bench.open_records(config, tokenizer)
