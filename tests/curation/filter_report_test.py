"""The page of what was kept and dropped, from literal decisions."""

import dataclasses
import re

import pytest

from gemb.curation import filter_report
from gemb.curation.candidates import Candidate, Mined
from gemb.curation.config import Curation, FilteringConfig, ScoringConfig
from gemb.curation.deciding import decide
from gemb.curation.tally import Tally

CURATION = Curation(
  tasks=('colours',),
  scoring=ScoringConfig(grades=4),
  filtering=FilteringConfig(min_quality=0.25),
)


def passage(text, grade):
  return Candidate(text=text, similarity=0.5, grade=grade, likelihood=-7.25)


def row(name, grade):
  return Mined(
    id=name,
    language='en',
    query=f'query <{name}>',
    positive=passage(f'positive of {name}', grade),
    candidates=(passage('a & b', 3.0), passage('plum', 0.5)),
    negatives=('plum',),
  )


@pytest.fixture
def write(tmp_path):
  def write_page(tally, curation=CURATION):
    path = tmp_path / 'filter_report.html'
    filter_report.write(path, [tally], curation)
    return path.read_text()

  return write_page


@pytest.fixture
def tally():
  tally = Tally('colours', samples=5, scored_by={'model': 'x' * 99})
  for name, grade, quality in (
    ('good', 3.0, 0.9),
    ('wrong', 0.25, 0.9),
    ('poor', 3.0, 0.1),
  ):
    tally.add(decide(row(name, grade), quality, CURATION), scored=True)
  return tally


def test_it_counts_each_task_by_reason(write, tally):
  page = write(tally)
  (line,) = re.findall('<th scope="row">colours</th>(.*?)</tr>', page)
  # Examples, scored, false positives, of poor quality, kept, neighbours gone.
  assert re.findall('<td>(.*?)</td>', line) == ['3', '3', '1', '1', '1', '3']


def test_it_shows_samples_of_each_kind_with_their_scores(write, tally):
  page = write(tally)
  for heading, name, score in (
    ('Dropped: the positive does not', 'wrong', 'grade 0.25'),
    ('Dropped: no good example', 'poor', 'quality 0.10'),
    ('Kept, without neighbours', 'good', 'likelihood -7.2'),
    ('Kept', 'good', 'quality 0.90'),
  ):
    section = page.split(f'<summary>{heading}')[-1].split('</details>')[0]
    assert f'query &lt;{name}&gt;' in section
    assert score in section
  assert 'Removed' in page and 'a &amp; b' in page
  assert '<wrong>' not in page


def test_it_tells_what_the_scores_are_worth(write, tally):
  page = write(tally)
  # No grade of a positive is above the neighbour's 3.
  assert (
    'The grade puts the positive before all of its neighbours in 0% of 3 '
    'examples; by chance it would in 33%.'
  ) in page


def test_it_names_the_prompts_and_enough_of_the_model(write, tally):
  page = write(tally)
  assert 'grade_v1, likelihood_v1, quality_v1' in page
  assert f'Scored by {"x" * 16}</p>' in page
  blind = dataclasses.replace(
    CURATION,
    scoring=ScoringConfig(signals=('likelihood',)),
    filtering=FilteringConfig(min_quality=0.0, false_positive_grade=None),
  )
  page = write(tally, blind)
  assert '<dd>likelihood_v1</dd>' in page
  assert '<dd>not asked for</dd>' in page and '<dd>none</dd>' in page


def test_it_draws_the_grades_from_0_to_the_greatest(write, tally):
  page = write(tally)
  positives, neighbours = re.findall('aria-label.*?>(.*?)</div>', page)
  heights = re.findall('height: (.*?)%', positives)
  # Twelve bins of a quarter; two grades of 3 and one of 0.25.
  assert heights == ['0.0', '50.0', *['0.0'] * 9, '100.0']
  assert re.findall('height: (.*?)%', neighbours)[2] == '100.0'
  assert 'mean 2.08' in page


def test_without_grades_it_shows_none(write):
  tally = Tally('colours', samples=5, scored_by={'model': 'x' * 99})
  tally.add(decide(row('new', None), None, CURATION), scored=False)
  page = write(tally)
  assert 'Grades of' not in page
  assert '<details' not in page


def test_long_texts_are_cut(write):
  long = Mined(
    id='1',
    language='en',
    query='q' * 5000,
    positive=passage('p', 3.0),
    candidates=(),
    negatives=(),
  )
  tally = Tally('colours', samples=1, scored_by={'model': 'x' * 99})
  tally.add(decide(long, 1.0, CURATION), scored=True)
  assert 'q' * 601 not in write(tally)
