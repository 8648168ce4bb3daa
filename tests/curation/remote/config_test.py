import pytest

from gemb.curation.remote.config import RemoteModel


@pytest.mark.parametrize(
  'name, value, wanted',
  [
    ('url', 'localhost:8000', 'must begin with http'),
    ('requests_per_minute', 0, 'at least 1'),
    ('at_once', 0, 'at least 1'),
    ('retries', -1, 'at least 0'),
    ('thinking_tokens', -1, 'at least 0'),
    ('price_in', -1.0, 'at least 0'),
    ('timeout', 0.0, 'more than 0 seconds'),
    ('max_bad_share', 1.5, 'from 0 to 1'),
    ('max_cost', 1.0, 'needs both prices'),
  ],
)
def test_what_no_service_can_do_is_refused_by_name(name, value, wanted):
  with pytest.raises(ValueError, match=rf'RemoteModel\.{name} .*{wanted}'):
    RemoteModel(service='openai', model='m', **{name: value})
