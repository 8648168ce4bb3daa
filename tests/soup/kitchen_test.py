"""Scores and losses of the small run's parameters."""

import pytest

from gemb.axes import AxisRules, MeshConfig
from gemb.soup.config import Soup
from gemb.soup.ingredients import find_ingredients
from gemb.soup.kitchen import open_kitchen
from gemb.train.metrics import read_metrics


@pytest.fixture
def ingredients(tiny_run):
  return find_ingredients((f'{tiny_run}@8', f'{tiny_run}@10'))


@pytest.fixture
def kitchen(tiny_run, ingredients):
  soup = Soup(
    ingredients=(str(tiny_run),),
    fewer_candidates=True,
    mesh=MeshConfig(),
    rules=AxisRules(),
  )
  return open_kitchen(soup, ingredients[0])


def test_a_checkpoint_scores_what_training_saw(kitchen, ingredients, tiny_run):
  last = read_metrics(tiny_run)[-1]
  assert last['step'] == 10
  found = kitchen.scores(kitchen.load(ingredients[1]))
  for name, value in found.items():
    assert value == pytest.approx(last[f'eval/{name}'], abs=1e-6)


def test_the_loss_between_two_is_theirs_at_the_ends(kitchen, ingredients):
  first, last = map(kitchen.load, ingredients)
  loss = kitchen.make_loss(ingredients[0].run, 1)
  assert loss(first, last, 0.0) == pytest.approx(loss(first, first, 0.7))
  assert loss(first, last, 1.0) == pytest.approx(loss(last, last, 0.2))
  assert loss(first, last, 0.0) != pytest.approx(loss(first, last, 1.0))
