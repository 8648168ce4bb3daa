"""An exported model has the scores that it has in gemb."""

import pytest


def test_the_exported_folder_has_the_same_scores_at_every_prefix(library):
  found = library['exported']
  assert len(found['gemb']) == 6
  assert found['exported'].keys() == found['gemb'].keys()
  for task, scores in found['gemb'].items():
    assert scores.keys() == {'4', '8', '16'}
    assert found['exported'][task] == pytest.approx(scores, abs=1e-3)


def test_the_scores_that_are_compared_could_differ(library):
  for scores in library['exported']['gemb'].values():
    assert 0 < min(scores.values()) <= max(scores.values()) < 1
