"""tools/bench_contamination: what is planted is what the table says."""

import importlib
import json
import os
import pathlib
import random
import re
import subprocess
import sys

import pytest

from gemb.data import examples
from gemb.data.examples import Example

ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture
def bench(monkeypatch):
  """Returns the benchmark's module."""
  monkeypatch.syspath_prepend(str(ROOT / 'tools'))
  return importlib.import_module('bench_contamination')


def measure(*arguments):
  """Runs it, on its one core; returns its tables' cells, and all it said."""
  process = subprocess.run(
    [sys.executable, ROOT / 'tools/bench_contamination.py', *arguments],
    env={**os.environ, 'PYTHONPATH': str(ROOT)},
    capture_output=True,
    text=True,
  )
  rows = re.findall(r'^\| (.*) \|$', process.stdout, re.MULTILINE)
  return [tuple(row.split(' | ')) for row in rows], process


def write_set(path, texts):
  rows = [{'text': text, 'cluster': 'any'} for text in texts]
  path.write_text(''.join(f'{json.dumps(row)}\n' for row in rows))


def test_all_copies_of_the_small_sets_are_found():
  rows, process = measure()
  assert process.returncode == 0, process.stderr
  head, _, *planted = rows
  assert head == ('planted', 'texts', 'found')
  assert {found for _, _, found in planted} == {'100.00%'}
  assert 'memory at most: ' in process.stdout


def test_changed_texts_false_alarms_and_speed_are_told(tmp_path, monkeypatch):
  rng = random.Random(0)
  spaced = [
    ' '.join(f'word{rng.random()}' for _ in range(20)) for _ in range(9)
  ]
  han = [''.join(map(chr, rng.choices(range(0x4E00, 0x5E00), k=30)))] * 2
  write_set(tmp_path / 'spaced.jsonl', spaced)
  write_set(tmp_path / 'han.jsonl', han)
  monkeypatch.setenv('GEMB_DATA', str(tmp_path / 'data'))
  near = ' '.join([*spaced[0].split()[:-1], 'other'])
  unlike = ' '.join(map(str, range(20)))
  examples.write_texts(
    'mine',
    'a test',
    [
      Example(id='0', language='en', query=near, positive='too short'),
      Example(id='1', language='en', query='short too', positive=unlike),
    ],
  )
  rows, process = measure(f'--data={tmp_path}', '--texts=mine')
  assert process.returncode == 0, process.stderr
  assert ('copies', '10', '100.00%') in rows
  for change in 'the last fifth of the words', 'every fifth word':
    assert (f'{change} replaced, with spaces', '9', '100.00%') in rows
    assert (f'{change} replaced, without spaces', '1', '100.00%') in rows
  assert ('spaced', 'han', '9', '0 (0.000%)') in rows
  assert ('mine', 'spaced', '2', '1 (50.000%)') in rows
  assert rows[-1][:2] == ('mine', '2')
  again, _ = measure(f'--data={tmp_path}', '--texts=mine')
  assert again[:-1] == rows[:-1]


def test_texts_that_were_not_made_are_told(tmp_path, monkeypatch):
  monkeypatch.setenv('GEMB_DATA', str(tmp_path))
  _, process = measure('--texts=mine')
  assert process.returncode == 1
  assert 'run `gemb cache`' in process.stderr
  assert 'Traceback' not in process.stderr


def test_a_name_among_han_is_one_word(bench):
  words = bench.split_words('他用 Python，写。')
  assert words == ['他', '用', 'python', '写']
  assert bench.split_words(bench.join(words)) == words
  assert bench.join(words) == '他用 python 写'


def test_a_word_is_replaced_by_another(bench):
  words = list('abcdefghij')
  changed = bench.replace(
    words, bench.every_fifth(10), ['e', 'j', 'x'], random.Random(0)
  )
  assert [i for i in range(10) if changed[i] != words[i]] == [4, 9]
  assert list(bench.last_fifth(10)) == [8, 9]


def test_texts_are_kept_apart_by_whether_they_have_spaces(bench):
  spaced, without = bench.scripts(['one two', 'three', '他用 Python'])
  assert spaced.texts == [['one', 'two'], ['three']]
  assert without.texts == [['他', '用', 'python']]
