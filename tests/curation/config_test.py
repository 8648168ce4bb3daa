import re

import pytest

from gemb.curation.config import SynthesisConfig


@pytest.mark.parametrize(
  ('settings', 'complaint'),
  [
    ({'most': 0}, 'SynthesisConfig.most is 0'),
    ({'items': 0}, 'SynthesisConfig.items is 0'),
    ({'tail': 0.0}, 'SynthesisConfig.tail is 0'),
    ({'tail': 1.5}, 'SynthesisConfig.tail is 1.5'),
    ({'min_rating': -0.1}, 'SynthesisConfig.min_rating is -0.1'),
    ({'min_label': 2.0}, 'SynthesisConfig.min_label is 2.0'),
    ({'temperature': -1.0}, 'SynthesisConfig.temperature is -1.0'),
  ],
)
def test_a_synthesis_that_cannot_be_is_refused(settings, complaint):
  with pytest.raises(ValueError, match=re.escape(complaint)):
    SynthesisConfig(**settings)
