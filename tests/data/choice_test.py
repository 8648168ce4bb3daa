import pytest

from gemb.data import choice


@pytest.mark.parametrize('count', [0, 1, 2, 5, 12, 97])
@pytest.mark.parametrize('key', ['a', 'moon:full:de', 'Übersicht'])
def test_every_number_is_chosen_once(key, count):
  assert sorted(choice.numbers(key, count)) == list(range(count))


def test_the_order_depends_on_the_key_alone():
  assert list(choice.numbers('sensor:title:de', 5)) == [3, 4, 0, 1, 2]
  assert list(choice.numbers('sensor:title:de', 5)) == [3, 4, 0, 1, 2]
  orders = {tuple(choice.numbers(f'{i}', 7)) for i in range(400)}
  assert len(orders) == 7 * 6  # each beginning with each step


def test_nothing_can_be_chosen_from_nothing():
  assert list(choice.numbers('a', -1)) == []
