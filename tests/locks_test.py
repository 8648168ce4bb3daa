"""What the lock files hold, against pyproject.toml."""

import pathlib
import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = pathlib.Path(__file__).parents[1]
LOCKS = ROOT / 'tools' / 'locks'


def locked(name):
  """Returns {requirement as locked: its hashes}."""
  text = (LOCKS / f'{name}.txt').read_text().replace('\\\n', ' ')
  lines = [line.split('--hash=') for line in text.splitlines()]
  return {line[0].strip(): [h.strip() for h in line[1:]] for line in lines}


@pytest.mark.parametrize('name', ['build', 'run', 'test'])
def test_a_lock_holds_names_versions_markers_and_hashes_only(name):
  pin = re.compile(
    r'[a-z0-9-]+==[\w.]+'
    r"( ; (python_full_version|sys_platform) [<>!=]+ '[\w.]+')?"
  )
  for requirement, hashes in locked(name).items():
    assert pin.fullmatch(requirement), requirement
    assert hashes, requirement
    assert all(re.fullmatch('sha256:[0-9a-f]{64}', h) for h in hashes)


def test_the_lock_for_tests_holds_that_to_run():
  assert locked('run').items() <= locked('test').items()


def test_all_that_the_project_needs_is_locked():
  project = tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']
  extras = project['optional-dependencies']
  for name, needs in (
    ('run', project['dependencies'] + extras['data']),
    ('test', extras['test']),
  ):
    pins = [Requirement(pin) for pin in locked(name)]
    for need in map(Requirement, needs):
      found = [
        next(iter(pin.specifier)).version
        for pin in pins
        if canonicalize_name(pin.name) == canonicalize_name(need.name)
      ]
      assert found, need
      assert all(version in need.specifier for version in found), need
