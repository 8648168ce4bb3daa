import dataclasses

import jax.numpy as jnp
import pytest

from gemb.soup.average import lerp
from gemb.soup.line import measure_line, plot_line


def between(params, other, share):
  """A loss with its least at 3: (x - 3)^2."""
  return float((lerp(params, other, share) - 3) ** 2)


@pytest.fixture
def line():
  return measure_line(
    {'a@1': jnp.float32(0.0), 'b$@2': jnp.float32(4.0)},
    jnp.float32(2.0),
    soup_share=0.5,
    points=5,
    losses={'a': between, 'b$': lambda *given: 2 * between(*given)},
  )


def test_the_loss_is_measured_at_even_shares_between_the_ends(line):
  assert line.ends == ('a@1', 'b$@2')
  assert line.shares == (0, 0.25, 0.5, 0.75, 1)
  assert line.losses['a'] == pytest.approx((9, 4, 1, 0, 1))
  assert line.losses['b$'] == pytest.approx((18, 8, 2, 0, 2))
  assert line.soup == pytest.approx({'a': 1, 'b$': 2})


def test_the_plot_names_the_ends_and_the_soup(line):
  svg = plot_line(line).svg
  assert 'a@1  →  b$@2' in svg
  assert 'on data of a<' in svg and 'on data of b$<' in svg
  assert 'soup 1.000' in svg and 'soup 2.000' in svg


def test_folders_are_named_by_their_ends_where_these_differ(line):
  line = dataclasses.replace(line, ends=('runs/a@1', 'runs/b@2'))
  assert '>a@1  →  b@2<' in plot_line(line).svg
  line = dataclasses.replace(line, ends=('a/run@1', 'b/run@1'))
  assert '>a/run@1  →  b/run@1<' in plot_line(line).svg


def test_a_soup_beside_the_line_is_drawn_across():
  line = measure_line(
    {'a@1': jnp.float32(0.0), 'b@2': jnp.float32(4.0)},
    jnp.float32(2.5),
    soup_share=None,
    points=2,
    losses={'a': between},
  )
  assert line.soup_share is None
  assert 'soup 0.250' in plot_line(line).svg
