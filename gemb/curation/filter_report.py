"""The page that shows what the filters kept and dropped."""

import pathlib
from collections.abc import Mapping, Sequence

from gemb import files
from gemb.curation.config import Curation
from gemb.curation.tally import BINS, KEPT, REMOVED, Tally
from gemb.evals import page

_TEMPLATE = pathlib.Path(__file__).with_name('filter_report.html')

# In the order of the page: the kind, its heading, and what was decided.
_KINDS = {
  'false positive': 'Dropped: the positive does not answer the query',
  'quality': 'Dropped: no good example',
  REMOVED: 'Kept, without neighbours that answer the query too',
  KEPT: 'Kept',
}


def write(
  path: pathlib.Path,
  tallies: Sequence[Tally],
  curation: Curation,
) -> None:
  """Writes the page, in place of any before.

  Args:
    path: of the page, which needs nothing else.
    tallies: of each task.
    curation: whose thresholds are shown.

  Raises:
    OSError: if it cannot be written.
  """
  scoring, filtering = curation.scoring, curation.filtering
  text = page.render(
    _TEMPLATE,
    title='What the filters kept and dropped',
    about={
      'prompts': ', '.join(_prompts(curation)),
      'least quality': filtering.min_quality or 'not asked for',
      'least grade of a positive': _bound(filtering.false_positive_grade),
      'false negative from grade': _bound(filtering.false_negative_grade),
      'or above the positive': 'yes' if filtering.above_positive else 'no',
    },
    tallies=tallies,
    kinds=_KINDS,
    reasons=[kind for kind in _KINDS if kind not in (KEPT, REMOVED)],
    histogram=lambda bins: _histogram(bins, scoring.grades),
    greatest=scoring.grades - 1,
  )
  files.write_file(path, text)


def _prompts(curation: Curation) -> list[str]:
  """Returns the prompts that were in use."""
  scoring, filtering = curation.scoring, curation.filtering
  prompts = {
    scoring.grade_prompt: 'grade' in scoring.signals,
    scoring.likelihood_prompt: 'likelihood' in scoring.signals,
    filtering.quality_prompt: filtering.min_quality > 0,
  }
  return [prompt for prompt, is_used in prompts.items() if is_used]


def _bound(value: float | None) -> float | str:
  return 'none' if value is None else value


def _histogram(bins: Mapping[int, int], grades: int) -> list[float]:
  """Returns the bars from grade 0 to the greatest, in % of the tallest."""
  last = (grades - 1) * BINS - 1
  bars = [0] * (last + 1)
  for number, count in bins.items():
    bars[min(number, last)] += count
  return [round(100 * bar / max(1, *bars), 1) for bar in bars]
