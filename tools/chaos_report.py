"""What tools/chaos has found: lines, tables, a plot."""

import dataclasses
import json
import pathlib
import platform
import statistics
from collections.abc import Sequence
from typing import Any

import jax
from chaos_draw import CACHE, SIGNALS, Draw
from chaos_folder import STARTING
from chaos_run import Outcome

from gemb import files
from gemb.evals import plot_style
from gemb.markdown import markdown

TITLE = 'How soon a killed run goes on'
_BEGIN = '<!-- tools/chaos --write writes what follows -->'
_END = '<!-- and ends here -->'
# By the phase in which a run was hit.
_LOOKS = {
  STARTING: {'color': plot_style.GREY, 'marker': 'v'},
  'training': {'color': plot_style.BLUE, 'marker': 'o'},
  'saving': {'color': plot_style.ORANGE, 'marker': 's'},
  'evaluation': {'color': plot_style.GREEN, 'marker': '^'},
  CACHE: {'color': plot_style.PURPLE, 'marker': 'D'},
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Found:
  """All runs, and the unbroken ones beside each other.

  Attributes:
    seed: of what was drawn.
    drawn: how many runs were.
    outcomes: of those that have ended, by number.
    apart: the largest difference between the states that the layouts' unbroken
      runs end with.
    tolerance: that it may have.
    seconds: that all took.
  """

  seed: int
  drawn: int
  outcomes: Sequence[Outcome]
  apart: float
  tolerance: float
  seconds: float

  @property
  def all_well(self) -> bool:
    """Whether every run has ended as it should."""
    faultless = not any(outcome.faults for outcome in self.outcomes)
    return faultless and self.apart <= self.tolerance


def line(outcome: Outcome) -> str:
  """Returns a line about a run that has ended."""
  told = '; '.join(outcome.faults) or 'the same as unbroken'
  where = '' if outcome.hit else f' (hit in: {outcome.found})'
  on = '' if outcome.again is None else f'went on from {outcome.again}; '
  return f'{outcome.draw.number}. {outcome.draw}{where}: {on}{told}.'


def text(found: Found) -> str:
  """Returns what is printed, and stands in the README."""
  equal = sum(not outcome.faults for outcome in found.outcomes)
  hit = sum(outcome.hit for outcome in found.outcomes)
  layouts = sorted({outcome.draw.layout for outcome in found.outcomes})
  told = (
    f'{equal} of {len(found.outcomes)} runs have ended with the state and the '
    f'metrics of an unbroken run, bit for bit (but for speeds); {hit} were hit '
    'in the phase that was drawn.'
  )
  if len(found.outcomes) < found.drawn:
    told += (
      f' {found.drawn} were drawn; the others had not ended when this was '
      'stopped.'
    )
  if len(layouts) > 1:
    told += (
      f' The unbroken runs of {" and ".join(layouts)} differ by at most '
      f'{found.apart:.2g} in any number of their states (tolerance '
      f'{found.tolerance:g}).'
    )
  return (
    f'{told} All took {found.seconds / 60:.1f} minutes.\n\n'
    f'{markdown(summary(found.outcomes), names=2)}\n'
    f'{markdown(rows(found.outcomes), names=5)}'
  )


def summary(outcomes: Sequence[Outcome]) -> list[list[str]]:
  """Returns a row for each signal and phase, after the head."""
  heads = ['signal', 'hit while', 'runs', 'equal']
  lines = [[*heads, 'steps again, most', 'seconds, median', 'most']]
  for name in SIGNALS:
    for phase in _LOOKS:
      here = [x for x in outcomes if (x.draw.signal, x.found) == (name, phase)]
      if here:
        waited = [x.waited for x in here if x.waited is not None]
        lines.append(
          [
            name,
            phase,
            str(len(here)),
            str(sum(not x.faults for x in here)),
            str(max((x.lost or 0) for x in here)),
            f'{statistics.median(waited):.1f}' if waited else '–',
            f'{max(waited):.1f}' if waited else '–',
          ]
        )
  return lines


def rows(outcomes: Sequence[Outcome]) -> list[list[str]]:
  """Returns a row for each run, after the head."""
  heads = ['run', 'layout', 'signal', 'to', 'hit while']
  lines = [[*heads, 'at step', 'went on from', 'seconds', 'end']]
  for outcome in outcomes:
    drawn = outcome.draw
    lines.append(
      [
        str(drawn.number),
        drawn.layout,
        drawn.signal,
        drawn.whom,
        f'{outcome.found or "not hit"}{"" if outcome.hit else " *"}',
        str(outcome.at),
        '–' if outcome.again is None else str(outcome.again),
        '–' if outcome.waited is None else f'{outcome.waited:.1f}',
        'differs' if outcome.faults else 'equal',
      ]
    )
  return lines


def write(found: Found, folder: pathlib.Path) -> None:
  """Writes results.json, plot.svg, and the tables into README.md."""
  files.write_file(folder / 'results.json', as_json(found))
  files.write_file(folder / 'plot.svg', plot(found.outcomes).svg + '\n')
  readme = folder / 'README.md'
  page = readme.read_text(encoding='utf-8') if readme.is_file() else ''
  begin, _, rest = page.partition(_BEGIN)
  _, _, end = rest.partition(_END)
  told = f'{_BEGIN}\n\n{text(found).rstrip()}\n\n{_END}'
  files.write_file(readme, f'{begin}{told}{end or chr(10)}')


def as_json(found: Found) -> str:
  """Returns all that was found."""
  content = {
    'seed': found.seed,
    'drawn': found.drawn,
    'seconds': round(found.seconds),
    'largest_difference_between_layouts': found.apart,
    'tolerance': found.tolerance,
    'jax': jax.__version__,
    'python': platform.python_version(),
    'runs': [_as_values(outcome) for outcome in found.outcomes],
  }
  return json.dumps(content, indent=1) + '\n'


def plot(outcomes: Sequence[Outcome]) -> plot_style.Plot:
  """Draws each run's seconds until it went on, by layout, signal and target."""
  kinds = sorted({_kind(x.draw) for x in outcomes})
  with plot_style.applied():
    figure, axes = plot_style.new_figure(TITLE, height=1.6 + 0.3 * len(kinds))
    for phase, look in _LOOKS.items():
      here = [x for x in outcomes if x.found == phase and x.waited]
      axes.plot(
        [x.waited for x in here],
        [kinds.index(_kind(x.draw)) for x in here],
        linestyle='',
        label=phase if here else None,
        **look,
      )
    axes.set_yticks(range(len(kinds)), [plot_style.plain(x) for x in kinds])
    axes.set_ylim(len(kinds) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_xlabel('seconds from the signal to the next line of metrics')
    plot_style.add_legend(axes, columns=2)
    return plot_style.finish(
      figure,
      name='plot',
      section='training',
      title=TITLE,
      caption='A mark is a run; its form, the phase in which it was hit.',
    )


def _kind(drawn: Draw) -> str:
  return f'{drawn.layout}, {drawn.signal}, {drawn.target}'


def _as_values(outcome: Outcome) -> dict[str, Any]:
  values = dataclasses.asdict(outcome)
  for name in ('waited', 'seconds'):
    if values[name] is not None:
      values[name] = round(values[name], 2)
  values['draw']['delay'] = round(values['draw']['delay'], 4)
  return values
