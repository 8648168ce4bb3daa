"""The loss on the straight line between two ingredients, as numbers and plot.

Where it has no hump the ingredients lie in one basin, and their average is in
it (Frankle et al., arXiv:1912.05671): the reason why soups are good to eat.
"""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gemb.evals import plot_style
from gemb.model.embedder import Params
from gemb.soup.kitchen import LossBetween

_LOOKS: tuple[dict[str, Any], ...] = (
  {'color': plot_style.BLUE, 'marker': 'o', 'linestyle': '-'},
  {'color': plot_style.ORANGE, 'marker': 's', 'linestyle': '--'},
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Line:
  """Losses between two ingredients, and of the soup.

  Attributes:
    ends: names of the ingredients.
    shares: of the second end, from 0 to 1.
    losses: at each share, by the run whose training data they are on.
    soup: the soup's losses on the same.
    soup_share: where on the line the soup lies; None: beside it.
  """

  ends: tuple[str, str]
  shares: tuple[float, ...]
  losses: dict[str, tuple[float, ...]]
  soup: dict[str, float]
  soup_share: float | None


def measure_line(
  ends: Mapping[str, Params],
  soup: Params,
  *,
  soup_share: float | None,
  points: int,
  losses: Mapping[str, LossBetween],
) -> Line:
  """Measures the loss at as many points, both ends among them.

  Both ends, the soup and one point between are in memory at a time.

  Args:
    ends: the parameters of both ingredients, by name.
    soup: its parameters.
    soup_share: where on the line it lies.
    points: at least 2.
    losses: that are measured, by the run whose data they are on.
  """
  (first, start), (last, stop) = ends.items()
  shares = np.linspace(0, 1, points).tolist()
  found: dict[str, list[float]] = {name: [] for name in losses}
  for share in shares:
    for name, loss in losses.items():
      found[name].append(loss(start, stop, share))
      print(f'  {share:.2f} of the way, {name}: loss {found[name][-1]:.4f}')
  return Line(
    ends=(first, last),
    shares=tuple(shares),
    losses={name: tuple(values) for name, values in found.items()},
    soup={name: loss(soup, soup, 0.0) for name, loss in losses.items()},
    soup_share=soup_share,
  )


def plot_line(line: Line) -> plot_style.Plot:
  """Draws the losses over the way from one end to the other."""
  title = 'Loss between two ingredients, and of the soup'
  with plot_style.applied():
    figure, axes = plot_style.new_figure(title)
    names = _short([*line.losses]) | _short([*line.ends])
    for look, (name, losses) in zip(_LOOKS, line.losses.items(), strict=False):
      label = plot_style.plain(f'on data of {names[name]}')
      axes.plot(line.shares, losses, label=label, **look)
      _mark_soup(axes, line, line.soup[name], look['color'])
    first, last = (plot_style.plain(names[end]) for end in line.ends)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ['0', '¼', '½', '¾', '1'])
    axes.set(
      xlabel=f'{first}  →  {last}',
      ylabel='Loss (nats)',
      xlim=(-0.04, 1.04),
    )
    plot_style.add_legend(axes, columns=1)
    return plot_style.finish(
      figure,
      name='line',
      section='training',
      title=title,
      caption=(
        'Training loss on batches that no step saw. Lower is better: a line '
        'without a hump says that both ingredients lie in one basin. The star '
        'is the soup; beside the line it is drawn across.'
      ),
    )


def _short(names: Sequence[str]) -> dict[str, str]:
  """Returns the names without the folders above, where these still differ."""
  ends = [pathlib.PurePath(name).name for name in names]
  apart = len(set(ends)) == len(ends)
  return dict(zip(names, ends if apart else names, strict=True))


def _mark_soup(axes, line: Line, loss: float, color: str) -> None:
  if line.soup_share is None:
    axes.axhline(loss, color=color, linewidth=0.9, linestyle=':')
    place, where = 1.0, 'right'
  else:
    place, where = line.soup_share, 'center'
    axes.plot(place, loss, marker='*', markersize=12, color=color)
  axes.annotate(
    f'soup {loss:.3f}',
    (place, loss),
    xytext=(0, 11),
    textcoords='offset points',
    ha=where,
    fontsize=8,
    color=color,
    bbox={'facecolor': 'white', 'edgecolor': 'none', 'alpha': 0.8, 'pad': 1},
  )
