import numpy as np
import pytest

from gemb.mixing.convergence import Curve, make_curve, smooth


def curve_of(*losses):
  """A curve of a run that tells of every tenth step."""
  return make_curve(
    {'step': 10 * (place + 1), 'loss': loss}
    for place, loss in enumerate(losses)
  )


def test_a_mean_is_of_fewer_neighbours_at_the_ends():
  values = np.array([4.0, 2.0, 0.0, 6.0])
  assert smooth(values, 0).tolist() == [4.0, 2.0, 0.0, 6.0]
  assert smooth(values, 1).tolist() == [3.0, 2.0, 8 / 3, 3.0]
  assert smooth(values, 9).tolist() == [3.0] * 4


def test_a_task_has_converged_where_most_of_the_fall_is_made():
  # From 5 to 1: 95% of the fall is made at a loss of 1.2.
  curve = curve_of(5.0, 3.0, 2.0, 1.25, 1.2, 1.1, 1.0, 1.0, 1.0)
  assert curve.converged == 50
  assert curve.fallen.tolist() == pytest.approx(
    [0.0, 0.5, 0.75, 0.9375, 0.95, 0.975, 1.0, 1.0, 1.0]
  )
  assert not curve.is_late


def test_a_loss_that_rises_again_has_fallen_all_the_same():
  curve = curve_of(5.0, 1.0, 3.0, 4.0, 3.0)
  assert curve.loss.tolist() == [5.0, 1.0, 1.0, 1.0, 1.0]
  assert curve.converged == 20


def test_a_loss_that_falls_to_the_end_is_late():
  curve = curve_of(*range(10, 0, -1))
  assert curve.converged == 100  # 8.55 of 9 are made at the last step alone
  assert curve.is_late
  assert curve_of(9.0, 8.0, 7.0, 0.0, 0.0).converged == 40
  assert not curve_of(9.0, 8.0, 7.0, 0.0, 0.0).is_late  # at 80% of the run


def test_a_loss_that_does_not_fall_has_converged_at_once():
  curve = curve_of(1.0, 2.0, 3.0)
  assert curve.converged == 10
  assert curve.fallen.tolist() == [1.0, 1.0, 1.0]


def test_a_long_curve_is_smoothed_over_a_twentieth_of_the_run():
  # A single low line among 80 is not the end of the fall: with 2 neighbours
  # on either side it counts a fifth.
  losses = [10.0] * 40 + [0.0] + [10.0] * 19 + [0.0] * 20
  curve = curve_of(*losses)
  assert min(curve.loss[:50]) == 8.0
  assert curve.converged == 630  # the first line with zeros alone around it


def test_lines_without_a_loss_are_no_part_of_a_curve():
  lines = [
    {'step': 4, 'loss': 2.0},
    {'step': 4, 'eval/bitext/accuracy@16': 0.5},
    {'step': 8, 'loss': 1.0},
  ]
  curve = make_curve(lines)
  assert isinstance(curve, Curve)
  assert curve.steps.tolist() == [4, 8]
  with pytest.raises(ValueError, match=r'lower Run\.log_every_steps'):
    make_curve(lines[1:2])
