import email.utils
import time

import pytest

from gemb.curation.remote.service import is_passing, read_wait


@pytest.mark.parametrize(
  'value, seconds', [('30', 30), ('0.5', 0.5), ('-1', 0), ('soon', 0)]
)
def test_a_wait_is_read_in_seconds(value, seconds):
  assert read_wait({'retry-after': value}) == seconds


def test_a_wait_may_be_a_date_and_may_be_missing():
  date = email.utils.formatdate(time.time() + 60)
  assert read_wait({'retry-after': date}) == pytest.approx(60, abs=2)
  past = email.utils.formatdate(time.time() - 60)
  assert read_wait({'retry-after': past}) == 0
  assert read_wait({}) == 0


def test_only_crowds_and_broken_servers_pass():
  passing = {
    s for s in (400, 401, 404, 408, 422, 429, 500, 503) if is_passing(s)
  }
  assert passing == {408, 429, 500, 503}
