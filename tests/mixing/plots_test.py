import re

import numpy as np

from gemb.mixing.convergence import Curve
from gemb.mixing.plots import draw_curves, draw_scores


def curve(*losses):
  return Curve(steps=np.arange(1, len(losses) + 1), loss=np.array(losses))


def test_tasks_are_named_with_their_steps_fastest_first():
  plot = draw_curves({'slow': curve(3.0, 2.0, 1.0), 'fast_$': curve(3.0, 1.0)})
  named = re.findall(r'>([a-z_$]+: \d+)</text>', plot.svg)
  assert named == ['fast_$: 2', 'slow: 3']
  assert (
    plot.svg
    == draw_curves(
      {'slow': curve(3.0, 2.0, 1.0), 'fast_$': curve(3.0, 1.0)}
    ).svg
  )


def test_a_task_that_does_not_fall_is_drawn_too():
  assert '>flat: 1</text>' in draw_curves({'flat': curve(1.0, 1.0)}).svg


def test_only_the_sources_that_there_are_are_named():
  points = [('given', 0.5), ('tpe', 0.75), ('tpe', 0.25)]
  plot = draw_scores(points, what='bitext/accuracy@16')
  assert plot.title == 'Mixtures by bitext/accuracy@16'
  for name in ('best', 'given', 'optimised'):
    assert f'>{name}</text>' in plot.svg
  assert 'drawn around it' not in plot.svg
