"""Which examples are drawn, from files of literal ids."""

import pytest

from gemb.curation import drawing
from gemb.curation.journal import Journal

NAMES = [f'a/{number}' for number in range(50)]


@pytest.fixture
def file_of(tmp_path):
  def write(names):
    journal = Journal(tmp_path / 'rows.jsonl', {})
    journal.add({'id': name} for name in names)
    journal.finish()
    return journal.path

  return write


def drawn(path, most, seed=0):
  draw = drawing.draw(path, most, seed)
  found = {name for name in NAMES if name in draw}
  assert draw.count == len(found)
  return found


def test_as_many_are_drawn_as_are_asked_for(file_of):
  path = file_of(NAMES)
  assert [len(drawn(path, most)) for most in (1, 20, 50, 99)] == [1, 20, 50, 50]
  assert drawing.draw(path, 20, seed=0).total == 50


def test_all_are_drawn_where_no_number_is_given(file_of):
  assert drawn(file_of(NAMES), None) == set(NAMES)


def test_a_larger_draw_has_those_of_a_smaller_one(file_of):
  path = file_of(NAMES)
  assert drawn(path, 5) < drawn(path, 10)


def test_the_order_of_the_file_does_not_matter(file_of, tmp_path):
  forth = drawn(file_of(NAMES), 10)
  (tmp_path / 'rows.jsonl').unlink()
  assert drawn(file_of(NAMES[::-1]), 10) == forth


def test_another_seed_draws_others(file_of):
  path = file_of(NAMES)
  assert drawn(path, 10, seed=0) != drawn(path, 10, seed=1)


def test_of_none_none_are_drawn(file_of):
  draw = drawing.draw(file_of([]), 10, seed=0)
  assert (draw.count, draw.total) == (0, 0)
  assert 'a/0' not in draw
