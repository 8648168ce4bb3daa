"""`gemb mine` on the small run, and what trains on what it writes."""

import pathlib
import shutil

import numpy as np
import pytest

from gemb import config, main, trained
from gemb.curation.candidates import from_row
from gemb.curation.journal import read_about, read_rows
from gemb.data import cache, examples
from gemb.data.records import Records
from gemb.data.specs import make_spec
from gemb.data.tokenizer import Tokenizer
from gemb.evals.retrieval import truncate
from gemb.workdir import find_workdir

TESTS = pathlib.Path(__file__).parents[1]
GIN = """
from __gin__ import dynamic_registration
from gemb.curation import config
config.Curation.tasks = ('golden_pairs',)
config.Curation.mining = @config.MiningConfig()
config.MiningConfig.ranks = (2, 4)
config.MiningConfig.negatives = 2
"""


@pytest.fixture
def mine(tiny_run, tmp_path):
  """Runs `gemb mine`; returns its status."""
  (tmp_path / 'mine.gin').write_text(GIN)

  def run(*arguments, folder=tmp_path / 'curated'):
    return main.main(
      [
        'mine',
        f'--gin_file={tmp_path / "mine.gin"}',
        f'--workdir={tiny_run}',
        f'--folder={folder}',
        *arguments,
      ]
    )

  return run


@pytest.fixture
def rows(mine, tmp_path):
  assert mine() == 0
  path = tmp_path / 'curated' / 'golden_pairs.mined.jsonl'
  return [from_row(row) for row in read_rows(path)]


def test_a_trained_model_mines_the_examples_of_its_tasks(
  rows, tiny_run, tmp_path
):
  every = list(examples.read_texts('golden_pairs'))
  assert [row.id for row in rows] == [example.id for example in every]
  run, _ = config.load([str(tiny_run / 'config.gin')])
  encoder, _ = trained.load_encoder(run, find_workdir(tiny_run))
  prompt = run.data.prompt('golden_pairs')
  passages = list(
    dict.fromkeys(p for e in every for p in (e.positive, *e.negatives))
  )
  query = truncate(encoder.encode([prompt.dress_query(every[7].query)]), 16)
  dressed = [prompt.dress_passage(text) for text in passages]
  similarities = truncate(encoder.encode(dressed), 16) @ query[0]
  cosines = dict(zip(passages, similarities, strict=True))
  row = rows[7]
  for found in (row.positive, *row.candidates):
    assert found.similarity == pytest.approx(cosines[found.text], abs=1e-5)
  ranked = sorted(cosines, key=cosines.get, reverse=True)
  ceiling = 0.95 * cosines[every[7].positive]
  answers = {e.positive for e in every if e.query == every[7].query}
  allowed = [t for t in ranked if cosines[t] <= ceiling and t not in answers]
  found = [candidate.text for candidate in row.candidates]
  assert found == allowed[1:4] and row.negatives == tuple(found[:2])
  about = read_about(tmp_path / 'curated' / 'golden_pairs.mined.jsonl')
  assert about['miner'].keys() == {'name', 'step', 'config'}
  assert about['miner']['step'] == 10


def test_the_next_run_reads_what_was_mined(
  rows, tiny_run, tiny_folder, tmp_path, monkeypatch
):
  data = shutil.copytree(tiny_folder / 'data', tmp_path / 'data')
  monkeypatch.setenv('GEMB_DATA', str(data))
  run, _ = config.load(
    [str(tiny_run / 'config.gin')],
    [
      "DataConfig.mined_negatives={'golden_pairs': "
      f"'{tmp_path}/curated/golden_pairs.mined.jsonl'}}"
    ],
  )
  cache.build(run.data, processes=1)
  tokenizer = find_workdir(tiny_run).tokenizer
  records = Records(make_spec(run.data, 'golden_pairs', Tokenizer(tokenizer)))
  assert records.manifest['mined'] == {'lines': 300, 'found': 300}
  read = {record.name: record for record in records.read(np.arange(9))}
  for row in rows[:9]:
    assert len(read[row.id].negatives) >= len(row.negatives)


def test_another_step_is_other_work(rows, mine, capsys):
  capsys.readouterr()
  assert mine() == 0
  assert '300 examples are mined in' in capsys.readouterr().out
  assert mine('--step=8') == 2
  assert 'was made otherwise: miner was' in capsys.readouterr().err


@pytest.mark.parametrize(
  ('binding', 'complaint'),
  [
    ('MiningConfig.ranks=(0, 5)', 'MiningConfig.ranks is (0, 5)'),
    ('MiningConfig.negatives=4', 'at most the 3 ranks of MiningConfig.ranks'),
    ("Curation.tasks=('golden',)", "has no prompt for task 'golden'"),
    ("MiningConfig.choice='far'", "'far'"),
  ],
)
def test_a_mistake_is_one_sentence(mine, binding, complaint, capsys, tmp_path):
  assert mine(f'--gin.{binding}') == 2
  error = capsys.readouterr().err
  assert error.count('\n') == 1 and complaint in error
  assert not (tmp_path / 'curated').exists()


def test_a_prompt_may_be_another_than_that_of_the_run(mine, tmp_path):
  assert mine() == 0
  other = "--gin.Curation.prompts={'golden_pairs': 'code retrieval'}"
  assert mine(other, folder=tmp_path / 'other') == 0
  first, second = (
    read_about(tmp_path / folder / 'golden_pairs.mined.jsonl')
    for folder in ('curated', 'other')
  )
  assert first != second
