"""What the lock files hold, against pyproject.toml."""

import importlib.metadata
import pathlib
import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = pathlib.Path(__file__).parents[1]
LOCKS = ROOT / 'tools' / 'locks'
PROJECT = tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']
EXTRAS = PROJECT['optional-dependencies']
MARKER = (
  r'(python_full_version|sys_platform|platform_machine'
  r'|platform_python_implementation|implementation_name)'
  r" [<>!=]+ '[\w.]+'"
)


def locked(name):
  """Returns {requirement as locked: its hashes}."""
  text = (LOCKS / f'{name}.txt').read_text().replace('\\\n', ' ')
  lines = [line.split('--hash=') for line in text.splitlines()]
  return {line[0].strip(): [h.strip() for h in line[1:]] for line in lines}


def locked_versions(name, package):
  """Returns the versions that a lock has of one package."""
  return [
    next(iter(pin.specifier)).version
    for pin in map(Requirement, locked(name))
    if canonicalize_name(pin.name) == canonicalize_name(package)
  ]


@pytest.mark.parametrize('name', ['build', 'run', 'test', 'beam'])
def test_a_lock_holds_names_versions_markers_and_hashes_only(name):
  pin = re.compile(rf'[a-z0-9-]+==[\w.]+( ; {MARKER}( (or|and) {MARKER})*)?')
  for requirement, hashes in locked(name).items():
    assert pin.fullmatch(requirement), requirement
    assert hashes, requirement
    assert all(re.fullmatch('sha256:[0-9a-f]{64}', h) for h in hashes)


def test_the_lock_for_tests_holds_that_to_run():
  assert locked('run').items() <= locked('test').items()


def test_torch_has_several_builds_and_so_is_locked_without_hashes():
  (pin,) = (need for need in EXTRAS['parity'] if need.startswith('torch'))
  assert locked('torch') == {pin: []}
  assert not locked_versions('test', 'torch')


def test_what_every_build_of_torch_needs_is_locked():
  for need in map(Requirement, importlib.metadata.requires('torch')):
    if not need.marker:  # an extra, or CUDA's libraries
      versions = locked_versions('test', need.name)
      assert versions, need
      assert all(version in need.specifier for version in versions), need


def test_all_that_the_project_needs_is_locked():
  for name, needs in (
    ('run', PROJECT['dependencies'] + EXTRAS['data']),
    ('test', EXTRAS['test'] + EXTRAS['parity'] + EXTRAS['mteb']),
    ('test', EXTRAS['bench'] + EXTRAS['plan']),
    ('test', EXTRAS['wandb'] + EXTRAS['mlflow']),
    ('beam', EXTRAS['beam']),
  ):
    for need in map(Requirement, needs):
      lock = 'torch' if need.name == 'torch' else name
      versions = locked_versions(lock, need.name)
      assert versions, need
      assert all(version in need.specifier for version in versions), need


def test_beam_makes_records_with_the_same_library_as_the_rest():
  for package in 'array-record', 'jaxtyping', 'tqdm':
    assert locked_versions('beam', package) == locked_versions('run', package)
  assert not locked_versions('beam', 'tensorflow')
  assert not locked_versions('beam', 'jax')
