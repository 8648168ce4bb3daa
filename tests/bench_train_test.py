"""tools/bench_train: both sides read the same, and what is told is right."""

import dataclasses
import importlib
import io
import json
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
STEPS = 2


@pytest.fixture
def bench(monkeypatch):
  """Returns the benchmark's module."""
  monkeypatch.syspath_prepend(str(ROOT / 'tools'))
  return importlib.import_module('bench_train')


@pytest.fixture
def sides(bench):
  """Returns the module of its two sides."""
  return sys.modules['bench_train_sides']


@pytest.fixture
def folder(bench, tiny_run, tiny_gin, tmp_path, monkeypatch):
  """Returns a folder with a run to train, as the benchmark begins it."""
  from gemb import main

  monkeypatch.setattr(bench, 'run_gemb', lambda *args: main.main([*args]))
  arguments = [f'--gin_file={tiny_gin}', '--batch_size=16', '--length=32']
  monkeypatch.setattr(sys, 'argv', ['', *arguments, '--microbatch=8'])
  bench.begin_run(tmp_path, bench.parse_arguments())
  return tmp_path


def take(sides, monkeypatch, train, *arguments):
  """Has a side take its steps; returns what it told."""
  monkeypatch.setattr(sys, 'stdin', io.StringIO('\n' * STEPS))
  answers = io.StringIO()
  train(sides.Turns(answers), *map(str, arguments))
  return [sides.Step(**json.loads(x)) for x in answers.getvalue().splitlines()]


def test_both_sides_begin_with_the_same_loss(bench, sides, folder, monkeypatch):
  pytest.importorskip('accelerate')
  texts = bench.write_batches(folder, STEPS)
  assert len(texts.sides[0]) == len(texts.sides[1]) == 16 * STEPS
  assert max(map(max, texts.sides)) <= 32
  ours = take(sides, monkeypatch, sides.train_ours, folder, STEPS)
  theirs = take(sides, monkeypatch, sides.train_theirs, folder, STEPS, 0)
  assert len(ours) == len(theirs) == STEPS
  assert ours[0].loss == pytest.approx(theirs[0].loss, abs=1e-3)
  cached = take(sides, monkeypatch, sides.train_theirs, folder, STEPS, 4)
  assert cached[0].loss == pytest.approx(theirs[0].loss, abs=1e-4)


def test_our_steps_are_timed_and_the_loss_is_theirs_to_check(
  bench, sides, folder, monkeypatch
):
  bench.write_batches(folder, STEPS)
  first, second = take(sides, monkeypatch, sides.train_ours, folder, STEPS)
  assert first.loss > 0 and first.loss != second.loss
  assert first.wall > 0 and first.cpu > 0
  assert 0 < first.before <= first.peak <= second.peak


def test_the_peer_reads_the_texts_of_our_batches(bench, sides, folder):
  texts = bench.write_batches(folder, STEPS)
  lines = (folder / 'batches.jsonl').read_text().splitlines()
  *_, loader = sides.open_run(folder / 'run')
  records = [x for step in range(STEPS) for x in loader.examples(step)]
  for line, record in zip(lines, records, strict=True):
    query, positive = loader.tokenizer.encode(json.loads(line))
    assert query == list(record.query) and positive == list(record.positive)
  tokens = sum(map(sum, texts.sides))
  assert tokens <= texts.packed and tokens <= texts.padded


def test_the_texts_that_need_no_download_are_pairs(
  bench, tmp_path, monkeypatch
):
  monkeypatch.setattr(bench, 'PACKAGES', ('optax',))
  monkeypatch.setattr(sys, 'argv', ['', '--full', '--length=8'])
  bench.write_run(tmp_path, bench.parse_arguments())
  lines = (tmp_path / 'pairs.jsonl').read_text().splitlines()
  rows = [json.loads(line) for line in lines]
  assert len(rows) > 50
  assert len({row['query'] for row in rows}) == len(rows)
  # At least a token for each of the times that a text is written.
  assert all(len(text) >= 8 for row in rows for text in row.values())


def test_the_table_compares_with_its_first_row(bench, monkeypatch, capsys):
  monkeypatch.setattr(sys, 'argv', ['', '--batch_size=8'])
  slow = bench.Step(wall=4.0, cpu=8.0, loss=1.0, before=2**20, peak=3 * 2**20)
  fast = dataclasses.replace(slow, wall=2.0, cpu=2.0, peak=2 * 2**20)
  first = dataclasses.replace(slow, wall=100.0)  # left out
  bench.print_table(
    {'ours': [first, fast], 'theirs': [first, slow]}, bench.parse_arguments()
  )
  *_, ours, theirs = capsys.readouterr().out.splitlines()
  ours, theirs = ours.split(), theirs.split()
  assert ours == ['ours', '4.00', '1.00', '0.2500', '1.00', '2', '1', '1.00']
  assert theirs[1:] == ['2.00', '2.00', '1.0000', '4.00', '3', '1', '1.50']


def test_losses_that_differ_are_an_error(bench, capsys):
  bench.check_losses(3.0001, 3.0)
  assert capsys.readouterr().out == (
    'loss of the first step: 3.00010 and 3.00000\n'
  )
  for other in (3.01, float('nan')):
    with pytest.raises(SystemExit, match='differ'):
      bench.check_losses(3.0, other)


def test_a_side_that_is_asked_no_more_ends(sides, monkeypatch):
  monkeypatch.setattr(sys, 'stdin', io.StringIO(''))
  with pytest.raises(SystemExit):
    sides.Turns(io.StringIO()).begin()


def test_a_trainer_that_cannot_run_is_told(bench, monkeypatch):
  monkeypatch.setattr(sys, 'argv', [''])
  monkeypatch.setattr(bench.os, 'sched_setaffinity', lambda *_: None)
  monkeypatch.setattr(bench.importlib.util, 'find_spec', lambda _: None)
  monkeypatch.setenv('JAX_PLATFORMS', 'cpu')
  with pytest.raises(SystemExit, match='pip install'):
    bench.main()
