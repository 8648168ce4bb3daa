"""`gemb synthesize`, from its gin file to its files."""

import pytest

from gemb import main
from gemb.curation import models

GIN = """
from __gin__ import dynamic_registration
from gemb.curation import config
config.Curation.tasks = ('notes',)
config.Curation.synthesis = @config.SynthesisConfig()
config.SynthesisConfig.items = 5
config.SynthesisConfig.most = 2
"""


@pytest.fixture
def synthesize(texts, scripted, tmp_path, monkeypatch):
  """Runs the command with a scripted model; returns its status."""
  texts({'tea': 'Tea is steeped.', 'moss': 'Moss has no roots.'})
  (tmp_path / 'notes.gin').write_text(GIN)
  things = '\n'.join(f'{number}. thing {number}' for number in range(1, 6))
  model = scripted(
    {
      'Passage: Tea': 'web search | how to brew',
      'Passage: Moss': 'web search | roots of moss',
      'A list of 5 people': things.replace('thing', 'person'),
      'Things:\n1.': things,
      'Verdict: terrible\nReview:': 'It broke.',
      'Verdict: poor\nReview:': 'It bends.',
    }
  )
  monkeypatch.setattr(models, 'open_model', lambda curation: model)
  files = f'--gin_file={tmp_path}/notes.gin', f'--folder={tmp_path}/written'
  return lambda *bindings: main.main(['synthesize', *files, *bindings])


def test_queries_and_texts_are_written(synthesize, tmp_path, rows_of, capsys):
  status = synthesize(
    "--gin.SynthesisConfig.queries=('notes',)",
    "--gin.SynthesisConfig.classes=('review',)",
    '--gin.SynthesisConfig.min_label=0.1',
  )
  assert status == 0
  queries = rows_of(tmp_path / 'written' / 'synthetic_notes.jsonl')
  assert {row['id']: row['query'] for row in queries} == {
    'tea': 'how to brew',
    'moss': 'roots of moss',
  }
  reviews = rows_of(tmp_path / 'written' / 'synthetic_review.jsonl')
  assert [(row['label'], row['query']) for row in reviews] == [
    ('1 star', 'It broke.'),
    ('2 stars', 'It bends.'),
  ]
  assert capsys.readouterr().out == ''.join(
    f'{tmp_path}/written/synthetic_{name}.jsonl: 2 of 2 rows are kept\n'
    for name in ('notes', 'review')
  )


def test_nothing_to_write_is_refused(synthesize, capsys):
  assert synthesize() == 2
  assert 'nothing is to be written' in capsys.readouterr().err


def test_a_task_without_texts_is_refused(synthesize, capsys):
  assert synthesize("--gin.SynthesisConfig.queries=('nots',)") == 2
  assert "texts of task 'nots' are not at" in capsys.readouterr().err
