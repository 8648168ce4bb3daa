import sys

import pytest

from gemb.sweep import search as search_lib
from gemb.sweep.draws import choice, integers, log_uniform
from gemb.sweep.search import Search, Study

AXES = {
  'A.rate': log_uniform(1e-4, 1e-1),
  'A.layers': integers(1, 8),
  'A.prefixes': choice([(4, 8), (8,)]),
}


def search(**changes):
  given = {'metric': 'x@4', 'trials': 6, 'axes': AXES, 'startup': 2} | changes
  return Search(**given)


def score(point):
  return point['A.layers'] / 10


@pytest.fixture
def look(tmp_path):
  """Tries trials, all or so many; returns them."""

  def run(asked, count=None, journal='journal'):
    study, tried = Study(asked, tmp_path / journal), []
    for trial in study.trials():
      tried.append(trial)
      if len(tried) == count:
        break
      study.tell(trial, score(trial.point))
    return tried

  return run


def test_a_search_that_was_killed_asks_for_the_same_as_one_that_was_not(look):
  whole = look(search())
  assert len(whole) == 6
  assert {type(t.point['A.prefixes']) for t in whole} == {tuple}
  first = look(search(), count=3, journal='other')
  rest = look(search(), journal='other')
  assert first[:3] + rest[1:] == whole
  assert rest[0] == first[2]  # asked, and not told
  assert look(search(), journal='other') == []
  assert look(search(seed=1), journal='third') != whole


def test_more_trials_come_after_those_that_there_are(look):
  assert len(look(search(trials=3))) == 3
  assert [trial.number for trial in look(search(trials=5))] == [3, 4]


def test_a_trial_that_nobody_has_seen_is_replaced(look, tmp_path):
  study = Study(search(), tmp_path / 'journal')
  study._study.ask()  # killed before it had a value
  tried = look(search(trials=2))
  assert [trial.number for trial in tried] == [1, 2]
  assert tried[0].point == look(search(), journal='other')[0].point


def test_a_trial_that_has_failed_is_told_and_not_tried_again(look, tmp_path):
  study = Study(search(trials=1), tmp_path / 'journal')
  (trial,) = study.trials()
  study.tell(trial, None)
  assert look(search(trials=1)) == []
  assert study.states() == {'FAIL': 1}


def test_a_journal_that_ends_in_half_a_line_goes_on(look, tmp_path):
  first = look(search(), count=3)
  journal = tmp_path / 'journal'
  journal.write_bytes(journal.read_bytes()[:-20])
  # The third has lost a value, and is replaced.
  tried = [trial.point for trial in first[:2] + look(search())]
  assert tried == [trial.point for trial in look(search(), journal='other')]
  assert look(search()) == []


def test_a_damaged_journal_is_one_sentence(look, tmp_path):
  look(search(), count=1)
  journal = tmp_path / 'journal'
  journal.write_bytes(b'{"op_code": \n' + journal.read_bytes())
  with pytest.raises(ValueError, match=r'journal is damaged \(.*; delete it'):
    look(search())


def test_another_search_in_the_folder_is_refused(look):
  look(search(trials=1))
  with pytest.raises(ValueError, match=r'another search: metric was x@4, is y'):
    look(search(metric='y'))
  with pytest.raises(ValueError, match=r'A\.b was not there, is '):
    look(search(axes=AXES | {'A.b': choice([1])}))


def test_the_ends_of_all_axes_are_looked_at():
  first, *others = search().extremes()
  assert first == {'A.rate': 1e-4, 'A.layers': 1, 'A.prefixes': (4, 8)}
  assert others == [
    first | {'A.rate': 1e-1},
    first | {'A.layers': 8},
    first | {'A.prefixes': (8,)},
  ]


@pytest.mark.parametrize(
  ('changes', 'said'),
  [
    ({'trials': 0}, 'trials=0, startup=2; both must be at least 1'),
    ({'axes': {}}, 'a search has no axes'),
  ],
)
def test_what_is_no_search_is_refused(changes, said):
  with pytest.raises(ValueError, match=said):
    search(**changes)


def test_a_missing_library_is_one_sentence(monkeypatch):
  monkeypatch.setitem(sys.modules, 'optuna', None)
  load = search_lib.load_optuna.__wrapped__  # it keeps the library
  with pytest.raises(ValueError, match=r"needs optuna, .* -e '\.\[search\]'"):
    load()
