"""The look of every plot, and what a finished one is.

Figures are narrow, so that two stand side by side on a desk and one fits a
phone without its letters shrinking. Colours are those of Okabe and Ito, told
apart by the colour-blind; lines differ in dash and marker as well. Figures
are made without pyplot, which keeps a global list of them.
"""

import contextlib
import dataclasses
import io
import re
import textwrap
from collections.abc import Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

BLUE, ORANGE, GREEN = '#0072B2', '#D55E00', '#009E73'
PURPLE, GREY, INK = '#CC79A7', '#7A7A7A', '#222222'

_RC = {
  'axes.edgecolor': '#8C8C8C',
  'axes.grid': True,
  'axes.labelcolor': INK,
  'axes.labelsize': 9,
  'axes.axisbelow': True,
  'axes.spines.right': False,
  'axes.spines.top': False,
  'figure.titlesize': 10.5,
  'figure.titleweight': 'bold',
  'font.size': 9,
  'grid.color': '#D9D9D9',
  'grid.linewidth': 0.6,
  'legend.fontsize': 8.5,
  'legend.frameon': False,
  'lines.linewidth': 1.6,
  'lines.markersize': 4.5,
  # Letters stay letters: small files that can be searched and read aloud.
  'svg.fonttype': 'none',
  'svg.hashsalt': 'gemb',  # equal plots give equal bytes
  'text.color': INK,
  'xtick.color': '#555555',
  'ytick.color': '#555555',
  'xtick.labelsize': 8.5,
  'ytick.labelsize': 8.5,
}
_WIDTH, _HEIGHT = 4.8, 3.3  # inches
_TITLE_CHARACTERS = 52  # that fit the width


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plot:
  """A finished plot.

  Attributes:
    name: names its file.
    section: 'training', 'dimension', 'language' or 'similarity'.
    title: what is shown.
    caption: one sentence that says how to read it.
    svg: an <svg> element with nothing before or after it.
  """

  name: str
  section: str
  title: str
  caption: str
  svg: str


def applied() -> contextlib.AbstractContextManager[None]:
  """Returns a context in which figures have gemb's look, and only there."""
  return matplotlib.rc_context(_RC)


def new_figure(title: str, *, height: float = _HEIGHT) -> tuple[Figure, Axes]:
  """Returns a figure with its title and one pair of axes; sizes in inches."""
  figure = _titled(title, height)
  axes = figure.add_subplot()
  axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
  return figure, axes


def new_panels(title: str, count: int) -> tuple[Figure, list[Axes]]:
  """Returns a figure with its title and panels, one below the other."""
  figure = _titled(title, 0.5 + (_HEIGHT - 0.5) * count)
  return figure, list(figure.subplots(count, squeeze=False)[:, 0])


def _titled(title: str, height: float) -> Figure:
  figure = Figure(figsize=(_WIDTH, height), layout='constrained')
  figure.suptitle(
    textwrap.fill(plain(title), _TITLE_CHARACTERS), x=0.015, ha='left'
  )
  return figure


def add_legend(axes: Axes, *, columns: int) -> None:
  """Names the lines between title and axes, where no data can lie."""
  if axes.get_legend_handles_labels()[0]:
    axes.legend(
      loc='lower left',
      bbox_to_anchor=(0, 1),
      borderaxespad=0.3,
      borderpad=0,
      ncols=columns,
    )


def finish(
  figure: Figure, *, name: str, section: str, title: str, caption: str
) -> Plot:
  """Renders a figure; the arguments are those of `Plot`."""
  text = io.StringIO()
  # Nothing about time or program: equal plots give equal bytes.
  blank = dict.fromkeys(['Creator', 'Date', 'Format', 'Type'])
  figure.savefig(text, format='svg', metadata=blank)
  svg = text.getvalue()
  svg = svg[svg.index('<svg') :].rstrip()
  # Numbered names would occur twice in a page of several plots; nothing
  # refers to them (clip paths and markers are named by hash).
  svg = re.sub(r' id="[a-zA-Z0-9]+_\d+"', '', svg)
  return Plot(name=name, section=section, title=title, caption=caption, svg=svg)


def from_zero(shares: Sequence[float]) -> tuple[float, float]:
  """Returns the limits of an axis in percent that begins at zero."""
  # Room for the numbers over the highest point; all-zero still has a height.
  return 0.0, 115 * max(shares) or 1.0


def plain(name: str) -> str:
  """Returns a name as Matplotlib prints it literally."""
  return name.replace('$', r'\$')  # Matplotlib reads $...$ as mathematics


def file_name(task: str) -> str:
  """Returns a task's name as part of a file's name."""
  return re.sub(r'[^A-Za-z0-9_.-]', '_', task)
