import math

import pytest

from gemb.axes import AxisRules, MeshConfig
from gemb.soup.config import Soup


def make(**changes):
  given = {'ingredients': ('a', 'b'), 'mesh': MeshConfig(), **changes}
  return Soup(**given, rules=AxisRules())


@pytest.mark.parametrize(
  ('changes', 'complaint'),
  [
    ({'ingredients': ()}, 'Soup.ingredients is empty'),
    ({'weights': (1.0, 2.0)}, "but Soup.method is 'uniform'"),
    ({'method': 'weighted'}, 'Soup.weights is empty'),
    ({'method': 'weighted', 'weights': (0.0, 0.0)}, 'not sum to 0'),
    ({'method': 'weighted', 'weights': (1.0, -1.0)}, 'not negative'),
    ({'method': 'slerp', 'weights': (1.0, math.nan)}, 'must be finite'),
    ({'method': 'slerp', 'weights': (1.0, math.inf)}, 'must be finite'),
    ({'metrics': ('m',)}, 'by which a greedy soup is chosen'),
    ({'line': 1}, 'at least 2 points'),
    ({'line': -2}, 'at least 2 points'),
    ({'line_batches': 0}, 'at least 1 batch'),
  ],
)
def test_what_makes_no_soup_is_refused(changes, complaint):
  with pytest.raises(ValueError, match=complaint):
    make(**changes)


@pytest.mark.parametrize(
  'changes',
  [
    {},
    {'method': 'weighted', 'weights': (0.0, 2.0)},
    {'method': 'slerp'},
    {'method': 'slerp', 'weights': (1.0, 2.0)},
    {'method': 'greedy', 'metrics': ('m',)},
    {'line': 2},
  ],
)
def test_soups_that_can_be_made_are(changes):
  assert make(**changes).ingredients == ('a', 'b')
