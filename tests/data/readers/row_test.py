import re

import pytest

from gemb.data.readers import row


def test_a_missing_package_is_an_error_that_names_the_extra():
  message = (
    "needs a_missing_package, which is not installed: pip install -e '.[data]'"
  )
  with pytest.raises(ValueError, match=re.escape(message)):
    row.library('a_missing_package.part', extra='data')


def test_a_package_that_lacks_another_says_which(tmp_path, monkeypatch):
  (tmp_path / 'halfway.py').write_text('import a_missing_package\n')
  monkeypatch.syspath_prepend(str(tmp_path))
  with pytest.raises(ModuleNotFoundError, match='a_missing_package'):
    row.library('halfway', extra='data')


def test_a_byte_that_is_not_utf8_is_counted_from_one():
  with pytest.raises(UnicodeDecodeError) as caught:
    b'ab\xffc'.decode()
  said = row.not_utf8(caught.value, 'the line')
  assert said == 'byte 3 of the line is 0xff: not UTF-8'
