"""Filters over a folder, and the commands, with a model of literal answers."""

import dataclasses

import pytest

from gemb import config, main
from gemb.curation import candidates, filtering, journal, models, scoring
from gemb.curation.config import Curation, FilteringConfig, ScoringConfig

ROWS = [
  ('1', 'red fruit', 'apple', ('cherry', 'fire', 'brick')),
  ('2', 'blue sky', 'noon', ('ink', 'sea')),
  ('3', 'green <leaf>', 'maple', ('moss',)),
]
GRADES = {'apple': 3, 'cherry': 1, 'fire': 0, 'brick': 3, 'ink': 2, 'maple': 2}
LIKELIHOODS = {'apple': -1.0}
QUALITIES = {'maple': 0.2}


@pytest.fixture
def model(fake_model):
  return fake_model(GRADES, LIKELIHOODS, QUALITIES)


@pytest.fixture
def folder(mined_folder, model):
  """Returns a folder whose task is scored."""
  folder = mined_folder('colours', ROWS)
  scoring.score(curation(), folder, model)
  model.asked = 0
  return folder


def curation(most=None, **values):
  return Curation(
    tasks=('colours',),
    scoring=ScoringConfig(most=most),
    filtering=FilteringConfig(**values),
  )


def rows(folder, kind):
  path = candidates.stage_path(folder, 'colours', kind)
  return {row['id']: row for row in journal.read_rows(path)}


def test_each_example_is_kept_or_dropped_for_a_reason(folder, model, capsys):
  filtering.filter_tasks(curation(), folder, model)
  assert rows(folder, 'dropped') == {
    '2': {
      'id': '2',
      'reason': 'false positive',
      'quality': 1.0,
      'grade': 0.0,
      'query': 'blue sky',
      'positive': 'noon',
    },
    '3': {
      'id': '3',
      'reason': 'quality',
      'quality': 0.2,
      'grade': 2.0,
      'query': 'green <leaf>',
      'positive': 'maple',
    },
  }
  assert list(rows(folder, 'filtered')) == ['1']
  assert (
    'colours: 1 of 3 examples kept (dropped: 1 for false positive, 1 for '
    'quality)'
  ) in capsys.readouterr().out


def test_false_negatives_are_no_candidates_and_no_negatives(folder, model):
  filtering.filter_tasks(curation(), folder, model)
  row = rows(folder, 'filtered')['1']
  assert [each['text'] for each in row['candidates']] == ['cherry', 'fire']
  assert row['negatives'] == ['fire']


def test_what_follows_is_written_anew_and_asks_nothing_anew(folder, model):
  filtering.filter_tasks(curation(), folder, model)
  assert model.asked == 3
  loose = curation(min_quality=0.1, false_positive_grade=None)
  filtering.filter_tasks(loose, folder, model)
  assert model.asked == 3
  assert list(rows(folder, 'filtered')) == ['1', '2', '3']
  assert rows(folder, 'dropped') == {}
  about = journal.read_about(
    candidates.stage_path(folder, 'colours', 'filtered')
  )
  assert about['filtering']['min_quality'] == 0.1
  assert about['scored']['mined']['kind'] == 'mined'


def test_without_a_model_no_example_is_dropped_for_its_quality(folder):
  filtering.filter_tasks(curation(), folder, None)
  assert list(rows(folder, 'filtered')) == ['1', '3']


def test_those_not_scored_are_kept_and_not_judged(mined_folder, model):
  folder = mined_folder('colours', ROWS)
  scoring.score(curation(most=1), folder, model)
  model.asked = 0
  filtering.filter_tasks(curation(most=1), folder, model)
  assert model.asked == len(rows(folder, 'judged')) == 1
  assert len(rows(folder, 'filtered')) >= 2


def test_a_killed_run_goes_on_where_it_stopped(
  folder, model, fake_model, monkeypatch
):
  monkeypatch.setattr(filtering, '_JUDGED_AT_ONCE', 1)
  dying = fake_model(GRADES, LIKELIHOODS, QUALITIES, breaks_after=2)
  with pytest.raises(RuntimeError):
    filtering.filter_tasks(curation(), folder, dying)
  assert not candidates.stage_path(folder, 'colours', 'filtered').exists()
  filtering.filter_tasks(curation(), folder, model)
  assert model.asked == 1
  assert rows(folder, 'dropped')['3']['quality'] == 0.2


def test_the_files_are_read_as_mined_negatives_are(folder, model):
  filtering.filter_tasks(curation(), folder, model)
  path = candidates.stage_path(folder, 'colours', 'filtered')
  (row,) = candidates.read(path)
  assert (row.id, row.negatives) == ('1', ('fire',))


def test_a_grade_that_was_not_asked_for_bounds_nothing(folder, model):
  blind = dataclasses.replace(
    curation(), scoring=ScoringConfig(signals=('likelihood',))
  )
  with pytest.raises(ValueError, match=r"_grade is 1\.0, but.*'grade'"):
    filtering.filter_tasks(blind, folder, model)


def test_what_was_not_scored_is_refused(mined_folder, model):
  folder = mined_folder('colours', ROWS)
  with pytest.raises(FileNotFoundError, match=r'colours\.scored.*`gemb score`'):
    filtering.filter_tasks(curation(), folder, model)


def test_the_report_shows_texts_as_they_are(folder, model):
  filtering.filter_tasks(curation(), folder, model)
  page = (folder / 'filter_report.html').read_text()
  assert 'green &lt;leaf&gt;' in page
  assert '<leaf>' not in page


GIN = """
from __gin__ import dynamic_registration
from gemb.curation import config
config.Curation.tasks = ('colours',)
config.Curation.filtering = @config.FilteringConfig()
config.FilteringConfig.min_quality = 0.1
config.Curation.scoring = @config.ScoringConfig()
config.ScoringConfig.k = 2
"""


def test_the_commands_run_one_after_the_other(
  mined_folder, model, monkeypatch, tmp_path, capsys
):
  folder = mined_folder('colours', ROWS)
  (tmp_path / 'curation.gin').write_text(GIN)
  arguments = [f'--gin_file={tmp_path}/curation.gin', f'--folder={folder}']
  assert main.main(['score', *arguments]) == 2
  assert 'Curation.language_model is None' in capsys.readouterr().err
  monkeypatch.setattr(models, 'open_model', lambda curation: model)
  assert main.main(['filter', *arguments]) == 2
  assert main.main(['score', *arguments]) == 0
  assert main.main(['filter', *arguments]) == 0
  assert list(rows(folder, 'filtered')) == ['1', '3']
  more = '--gin.FilteringConfig.min_quality=0.5'
  assert main.main(['filter', *arguments, more]) == 0
  assert list(rows(folder, 'filtered')) == ['1']
  monkeypatch.undo()  # no model is opened where nothing is asked
  monkeypatch.setenv('GEMB_DATA', str(tmp_path / 'data'))
  more = '--gin.FilteringConfig.min_quality=0.0'
  assert main.main(['filter', *arguments, more]) == 0


def test_a_curation_is_read_from_gin(tmp_path):
  (tmp_path / 'curation.gin').write_text(GIN)
  found, _ = config.load([f'{tmp_path}/curation.gin'], root='Curation')
  assert found.scoring.k == 2
