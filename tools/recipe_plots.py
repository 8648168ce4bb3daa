"""The plots of the recipe's report."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

from recipe_results import BM25, PREFINETUNED, SOUP, UNTRAINED, Found

from gemb.evals import plot_style
from gemb.evals.results import system_name

_LOOKS = (
  {'color': plot_style.GREY, 'marker': 's'},
  {'color': plot_style.ORANGE, 'marker': 'D'},
  {'color': plot_style.GREEN, 'marker': '^'},
  {'color': plot_style.PURPLE, 'marker': 'v'},
  {'color': plot_style.INK, 'marker': '<'},
  {'color': plot_style.BLUE, 'marker': 'o'},
  {'color': plot_style.ORANGE, 'marker': 'x'},
)
_LANGUAGES_PER_PANEL = 28


def make_plots(found: Found) -> list[plot_style.Plot]:
  """Draws scores by prefix, kind and language, and the time they took."""
  with plot_style.applied():
    return [
      _by_prefix(found),
      _by_kind(found),
      *_by_language(found),
      _seconds(found),
    ]


def _by_prefix(found: Found) -> plot_style.Plot:
  return _dots(
    'Score after each stage, by dimensions',
    {
      f'at {prefix}': {
        system_name(model): found.mean(model, prefix) for model in found.models
      }
      for prefix in found.prefixes
    },
    looks={
      f'at {prefix}': look
      for prefix, look in zip(
        found.prefixes, itertools.cycle(_LOOKS), strict=False
      )
    },
    name='score_by_prefix',
    section='score',
    caption=(
      'The mean over all held-out tasks; to the right is better. BM25 has no '
      'dimensions.'
    ),
  )


def _by_kind(found: Found) -> plot_style.Plot:
  kinds = list(dict.fromkeys(found.kinds.values()))
  widest = found.prefixes[-1]
  return _dots(
    'Score by kind of task',
    {
      system_name(model): {
        kind: found.mean(model, widest, kind) for kind in kinds
      }
      for model in found.models
    },
    looks=_looks(found.models),
    name='score_by_kind',
    section='score',
    caption=f'The mean over the tasks of a kind, at {widest} dimensions.',
  )


def _by_language(found: Found) -> Iterator[plot_style.Plot]:
  shown = [
    model for model in found.models if model in (UNTRAINED, PREFINETUNED, SOUP)
  ]
  widest = found.prefixes[-1]
  scores = {model: found.by_language(model, widest) for model in shown}
  last = scores[shown[-1]]
  ordered = sorted(last, key=lambda language: (-last[language], language))
  panels = math.ceil(len(ordered) / _LANGUAGES_PER_PANEL)
  size = math.ceil(len(ordered) / max(panels, 1))
  for panel in range(panels):
    languages = ordered[panel * size : (panel + 1) * size]
    yield _dots(
      f'Translations by language ({panel + 1} of {panels})',
      {
        model: {each: of_model.get(each) for each in languages}
        for model, of_model in scores.items()
      },
      looks=_looks(found.models),
      name=f'score_by_language_{panel + 1}',
      section='language',
      caption=(
        'The share of sentences whose nearest English text is their '
        f'translation, at {widest} dimensions, best language first.'
      ),
      xlabel='Accuracy (%)',
    )


def _seconds(found: Found) -> plot_style.Plot:
  title = 'Wall time of the stages'
  names = list(found.seconds)
  figure, axes = plot_style.new_figure(title, height=1.1 + 0.21 * len(names))
  minutes = [seconds / 60 for seconds in found.seconds.values()]
  axes.barh(range(len(names)), minutes, 0.6, color=plot_style.BLUE)
  axes.set_yticks(range(len(names)), names)
  axes.set(xlabel='Minutes', ylabel='Stage')
  axes.set_ylim(len(names) - 0.4, -0.6)
  axes.grid(visible=False, axis='y')
  return plot_style.finish(
    figure,
    name='seconds',
    section='time',
    title=title,
    caption=f'{sum(minutes):.1f} minutes in all, with each process counted.',
  )


def _looks(models: Sequence[str]) -> dict[str, Mapping[str, str]]:
  """Returns a look for each model, the same in every plot."""
  looks = dict(zip(models, itertools.cycle(_LOOKS[1:-2]), strict=False))
  return looks | {
    UNTRAINED: _LOOKS[0],
    SOUP: _LOOKS[-2],
    system_name(BM25): _LOOKS[-1],
  }


def _dots(
  title: str,
  lines: Mapping[str, Mapping[str, float | None]],
  *,
  looks: Mapping[str, Mapping[str, str]],
  name: str,
  section: str,
  caption: str,
  xlabel: str = 'Score (%)',
) -> plot_style.Plot:
  """Draws {mark: {place: share}}, with the places below each other."""
  places = list(next(iter(lines.values())))
  figure, axes = plot_style.new_figure(title, height=1.6 + 0.21 * len(places))
  for mark, shares in lines.items():
    known = [
      (100 * share, place)
      for place, share in enumerate(shares.values())
      if share is not None
    ]
    if known:
      axes.plot(
        *zip(*known, strict=True),
        linestyle='',
        label=plot_style.plain(mark),
        **looks[mark],
      )
  axes.set_yticks(range(len(places)), [plot_style.plain(x) for x in places])
  axes.set(xlabel=xlabel, xlim=(0, None))
  axes.set_ylim(len(places) - 0.4, -0.6)
  plot_style.add_legend(axes, columns=2 if len(lines) > 3 else 3)
  return plot_style.finish(
    figure, name=name, section=section, title=title, caption=caption
  )
