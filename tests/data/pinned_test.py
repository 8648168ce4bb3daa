import re

import pytest

from gemb.data import pinned

ARCHIVES = [
  value for value in vars(pinned).values() if isinstance(value, pinned.Archive)
]


@pytest.mark.parametrize('archive', ARCHIVES, ids=lambda a: a.package)
def test_a_file_name_has_the_package_and_the_version(archive):
  package = re.sub('[-_.]+', '_', archive.package)
  assert archive.filename.startswith(f'{package}-{archive.version}')
  assert re.fullmatch('[0-9a-f]{64}', archive.sha256)


def test_no_file_is_pinned_twice():
  assert len({archive.sha256 for archive in ARCHIVES}) == len(ARCHIVES)
