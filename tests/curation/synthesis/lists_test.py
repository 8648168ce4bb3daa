import pytest

from gemb.curation.synthesis import lists
from gemb.curation.synthesis.lists import read_items, tail, write_lists

THINGS = 'a bowl\n2. a lamp\n3. a rope\n4. a sieve\n5. a be'


@pytest.fixture
def write_things(small, tmp_path):
  """Returns a function: model, persons -> the lists of products."""

  def run(model, *persons, **settings):
    return write_lists(
      'products',
      [{'person': person} for person in persons],
      config=small(**settings),
      model=model,
      folder=tmp_path,
      about={'of': 'a test'},
    )

  return run


@pytest.mark.parametrize(
  ('answer', 'items'),
  [
    ('a bowl\n2. a lamp\n3. a rope', ['a bowl', 'a lamp', 'a rope']),
    ('1. a bowl\n2) a  lamp\n3. a rope\n4. a jar', ['a bowl', 'a lamp']),
    ('a bowl\n2. a la', ['a bowl']),  # may be cut short
    ('a bowl\n2. A bowl!\n3. a rope', ['a bowl', 'a rope']),
    ('Things of a judge\n2. ...\n3. a rope', ['a rope']),
    ('', []),
  ],
)
def test_items_are_read_from_numbered_lines(answer, items):
  found = read_items(answer, 'List the things of a judge.', 3)
  assert found[: len(items)] == items


@pytest.mark.parametrize(
  ('share', 'items'),
  [(0.2, ['e']), (0.21, ['d', 'e']), (1.0, ['a', 'b', 'c', 'd', 'e'])],
)
def test_the_tail_is_the_end_of_a_list(share, items):
  assert tail(['a', 'b', 'c', 'd', 'e'], share) == items


def test_there_is_no_tail_of_nothing():
  assert tail([], 0.5) == []


def test_each_person_gets_a_list_and_it_is_kept(
  write_things, scripted, rows_of, tmp_path
):
  model = scripted({'a judge': THINGS, 'a diver': None})
  found = write_things(model, 'a judge', 'a diver')
  assert found == [['a bowl', 'a lamp', 'a rope', 'a sieve', 'a be'], []]
  assert rows_of(tmp_path / 'listed_products.jsonl') == [
    {'person': 'a judge', 'products': found[0]},
    {'person': 'a diver', 'products': []},
  ]
  assert model.asked[0].endswith('Person: a judge\nThings:\n1.')
  assert len(set(model.seeds)) == 2


def test_kept_lists_are_not_asked_for_again(
  write_things, scripted, monkeypatch
):
  monkeypatch.setattr(lists, '_AT_ONCE', 1)
  model = scripted({'a judge': THINGS, 'a diver': THINGS})
  model.kill_at = 1
  with pytest.raises(KeyboardInterrupt):
    write_things(model, 'a judge', 'a diver')
  model.kill_at = None
  found = write_things(model, 'a judge', 'a diver')
  assert len(model.asked) == 2
  assert write_things(model, 'a judge', 'a diver') == found
  assert len(model.asked) == 2


def test_lists_of_other_settings_are_refused(write_things, scripted):
  write_things(scripted({'a judge': THINGS}), 'a judge')
  with pytest.raises(ValueError, match='seed was 0, is 1'):
    write_things(scripted({}), 'a judge', seed=1)
