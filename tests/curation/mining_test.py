import dataclasses

import numpy as np
import pytest

from gemb import axes
from gemb.curation import mining
from gemb.curation.candidates import Candidate, from_row
from gemb.curation.config import MiningConfig
from gemb.curation.journal import read_about, read_rows
from gemb.curation.mining import Miner, choose, mine
from gemb.data import examples, locks
from gemb.data.caching import mined, side_files
from gemb.data.examples import Example
from gemb.prompts import Prompt

PROMPT = Prompt('q: {text}', 'p: {text}')

# Passages as cosines to the query (1, 0): its angle is all that a text is.
COSINES = {
  'q: first': 1.0,
  'q: second': 1.0,
  'p: right': 0.8,
  'p: too near': 0.79,
  'p: Too near!': 0.77,
  'p: near': 0.7,
  'p: Near.': 0.65,
  'p: far': 0.6,
  'p: farther': 0.5,
  'p: away': -1.0,
}
EXAMPLES = [
  Example(
    id='1',
    language='en',
    query='first',
    positive='right',
    negatives=('away', 'near', 'Near.', 'too near', 'Too near!'),
  ),
  Example(id='2', language='en', query='second', positive='far'),
  Example(id='3', language='en', query='first', positive='farther'),
]


def embed(texts):
  cosines = np.array([COSINES[text] for text in texts], np.float32)
  return np.stack([cosines, np.sqrt(1 - cosines**2)], axis=1)


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
  monkeypatch.setenv('GEMB_DATA', str(tmp_path / 'data'))
  return tmp_path / 'curated'


@pytest.fixture(scope='module')
def layout():
  return axes.Layout(axes.make_mesh(axes.MeshConfig()), axes.AxisRules())


@pytest.fixture
def run(folder, layout):
  """Mines the examples; returns the rows."""

  def run_mine(texts=EXAMPLES, embed=embed, width=2, identity='a', **changes):
    examples.write_texts('task', 'source', texts)
    config = MiningConfig(**{'ranks': (1, 9), 'queries': 2, **changes})
    miner = Miner(
      embed=embed, width=width, layout=layout, identity={'name': identity}
    )
    mine(config, 'task', PROMPT, folder, miner)
    return [from_row(row) for row in read_rows(folder / 'task.mined.jsonl')]

  return run_mine


def texts_of(row):
  return [candidate.text for candidate in row.candidates]


def test_neighbours_are_ranked_but_for_answers_copies_and_what_is_too_near(run):
  first, second, third = run()
  assert (first.id, first.language, first.query) == ('1', 'en', 'first')
  assert first.positive == Candidate(text='right', similarity=0.8)
  # 0.95 * 0.8 = 0.76 is the ceiling; 'farther' answers the same query.
  assert first.candidates == (
    Candidate(text='near', similarity=0.7),
    Candidate(text='far', similarity=0.6),
    Candidate(text='away', similarity=-1.0),
  )
  assert first.negatives == ('near',)
  assert texts_of(second) == ['farther', 'away']  # 0.95 * 0.6 = 0.57
  assert texts_of(third) == ['away']


def test_without_a_margin_the_nearest_are_first(run):
  first, *_ = run(margin=None, negatives=2)
  assert texts_of(first) == ['too near', 'near', 'far', 'away']
  assert first.negatives == ('too near', 'near')


def test_ranks_are_counted_over_those_that_are_not_excluded(run):
  first, second, third = run(ranks=(2, 3), negatives=2)
  assert first.negatives == ('far', 'away')
  assert second.negatives == ('away',)  # it has fewer
  assert third.negatives == ()


def test_answers_of_the_same_label_are_excluded(run):
  labelled = [dataclasses.replace(e, label='a') for e in EXAMPLES[:2]]
  first, second = run(labelled, margin=None)
  assert texts_of(first) == ['too near', 'near', 'away']  # without 'far'
  assert texts_of(second) == ['too near', 'near', 'away']  # without 'right'


def ring(size):
  """Returns examples and their embeddings: each is near the next ones."""
  texts = [
    Example(id=f'{n}', language='en', query=f'{n}', positive=f'passage {n}')
    for n in range(size)
  ]

  def on_ring(given):
    place = [float(text.split()[-1]) + 0.5 * ('q:' in text) for text in given]
    angle = 2 * np.pi * np.array(place) / size
    return np.stack([np.cos(angle), np.sin(angle)], 1).astype(np.float32)

  return texts, on_ring


def test_neighbours_are_looked_for_until_the_window_is_full(run, monkeypatch):
  texts, on_ring = ring(300)
  asked = []
  search = mining.ExactSearch.search

  def watched(self, queries, k):
    asked.append((len(queries), k))
    return search(self, queries, k)

  monkeypatch.setattr(mining.ExactSearch, 'search', watched)
  # A cosine of 0.5 is a sixth of the ring away, 50 steps.
  rows = run(texts, on_ring, margin=0.5, ranks=(1, 2), queries=300)
  assert asked == [(300, 32), (300, 128)]
  assert set(texts_of(rows[7])) == {'passage 257', 'passage 58'}


def test_a_task_that_is_mined_is_left_as_it_is(run, folder, capsys):
  run()
  before = (folder / 'task.mined.jsonl').read_bytes()
  capsys.readouterr()

  def embed_nothing(texts):
    raise AssertionError

  run(embed=embed_nothing)
  assert 'task: 3 examples are mined in' in capsys.readouterr().out
  assert (folder / 'task.mined.jsonl').read_bytes() == before


@pytest.mark.parametrize('survived', range(4))
def test_a_killed_run_goes_on_at_its_block(run, folder, survived):
  wanted = run(queries=1)
  path = folder / 'task.mined.jsonl'
  whole = path.read_bytes()
  for left in folder.glob('task*'):
    left.unlink()
  calls = []

  def killed(texts):
    if len(calls) == survived:
      raise KeyboardInterrupt
    calls.append(list(texts))
    return embed(texts)

  with pytest.raises(KeyboardInterrupt):
    run(embed=killed, queries=1)
  again = []

  def counted(texts):
    again.append(list(texts))
    return embed(texts)

  # What is of the machine may change meanwhile.
  assert run(embed=counted, queries=1, tile=3) == wanted
  assert path.read_bytes() == whole
  assert len(calls) + len(again) == 4  # the passages, and three queries


@pytest.mark.parametrize(
  ('changes', 'why'),
  [
    ({'identity': 'b'}, "miner was {'name': 'a'}, is {'name': 'b'}"),
    ({'margin': 0.9}, 'margin was 0.95, is 0.9'),
    ({'texts': EXAMPLES[:2]}, 'texts was'),
  ],
)
def test_other_work_in_the_folder_is_refused(run, changes, why):
  run()
  with pytest.raises(ValueError, match=f'was made otherwise: .*{why}'):
    run(**changes)


def test_vectors_of_another_miner_are_made_anew(run, folder):
  run()
  (folder / 'task.mined.jsonl').unlink()
  # Its width is another, and all is as near.
  rows = run(
    embed=lambda texts: embed(texts)[:, 1:] * 0 + 1, identity='b', width=1
  )
  assert [row.positive.similarity for row in rows] == [1, 1, 1]


def test_another_process_in_the_folder_is_told(run, folder):
  folder.mkdir()
  with (
    locks.hold(folder / '.task.mined.jsonl.lock'),
    pytest.raises(
      ValueError, match=r'Another process makes .*/task\.mined\.jsonl; wait'
    ),
  ):
    run()


def test_an_id_that_comes_twice_is_named(run):
  with pytest.raises(ValueError, match="more than one example with id '2'"):
    run([*EXAMPLES, EXAMPLES[1]])


def test_the_file_is_one_of_mined_negatives(run, folder):
  run(negatives=2)
  path = folder / 'task.mined.jsonl'
  lines = mined.index_lines(path)
  side_files.check_task(path, lines, 'task')
  found = mined.MinedNegatives(path, lines)
  assert found.find('1') == ['near', 'far'] and found.find('3') == ['away']


def test_the_file_tells_what_it_was_made_from(run, folder):
  run()
  assert read_about(folder / 'task.mined.jsonl') == {
    'kind': 'mined',
    'task': 'task',
    'texts': examples.texts_sha256('task'),
    'prompt': ['q: {text}', 'p: {text}'],
    'miner': {'name': 'a'},
    'ranks': [1, 9],
    'margin': 0.95,
    'negatives': 1,
    'choice': 'nearest',
    'seed': 0,
    'search': 'exact',
  }


def test_an_approximate_search_finds_the_same_and_tells_its_recall(
  run, folder, capsys
):
  texts, on_ring = ring(500)
  exact = run(texts, on_ring, queries=256, margin=None)
  (folder / 'task.mined.jsonl').unlink()
  capsys.readouterr()
  rows = run(texts, on_ring, queries=256, margin=None, search='faiss')
  said = capsys.readouterr().out
  assert 'task: 8 of 12 cells are looked into, which hold 100.0% of' in said
  assert rows == exact


def test_random_ones_are_chosen_by_seed_and_id():
  config = MiningConfig(ranks=(1, 20), negatives=3, choice='random')
  chosen = choose(config, 'a', 20)
  assert chosen == choose(config, 'a', 20)
  assert len(set(chosen)) == 3 and set(chosen) <= set(range(20))
  assert chosen != choose(config, 'b', 20)
  assert chosen != choose(dataclasses.replace(config, seed=1), 'a', 20)
  assert choose(config, 'a', 2) in ([0, 1], [1, 0])
  assert choose(config, 'a', 0) == []


def test_the_nearest_are_chosen_in_order():
  assert choose(MiningConfig(negatives=3), 'a', 20) == [0, 1, 2]
  assert choose(MiningConfig(negatives=3), 'a', 1) == [0]
