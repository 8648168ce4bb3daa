import dataclasses

import pytest

from gemb.curation.journal import hold
from gemb.curation.synthesis import writing
from gemb.curation.synthesis.writing import Kind, find_fault, summary, write

SUBJECTS = ('tea', 'rain', 'chess', 'moss', 'salt')
KIND = Kind(
  name='notes',
  ask=lambda row: f'A sentence on the art of making a list, and on {row["id"]}',
  read=lambda line: None if line == 'malformed' else {'query': line},
  rate=lambda row: f'Is this good: {row["query"]}',
  verdicts=(' yes', ' no'),
  wanted=lambda row: ' yes',
  min_rating=0.5,
  longest=40,
  max_tokens=30,
)


def draft(name):
  return {'id': name, 'query': '', 'seed': len(name), 'rating': None}


@pytest.fixture
def write_notes(tmp_path):
  """Returns a function: model -> writes rows on SUBJECTS."""

  def run(model, kind=KIND, subjects=SUBJECTS, **about):
    drafts = [draft(name) for name in subjects]
    write(
      kind,
      drafts,
      model=model,
      temperature=1.0,
      folder=tmp_path,
      about={'of': 'notes', **about},
    )

  return run


@pytest.mark.parametrize(
  ('text', 'fault'),
  [
    ('Tea is hot.', None),
    ('茶は熱い', None),
    ('', 'empty'),
    ('12. …', 'empty'),
    ('x' * 41, 'too long'),
    ('the Art of Making', 'echo'),
    ('art of making', None),  # three words
    ('the art of makin', None),
    ('Web search!', 'echo'),
    ('who made it', 'echo'),
    ('web', None),
  ],
)
def test_a_text_that_cannot_be_used_is_told_why(text, fault):
  prompt = 'Note: On the art of making.\nSearch: web search | who made it'
  assert find_fault(text, prompt, 40) == fault


def test_good_rows_are_kept_and_the_others_are_told_why(
  write_notes, scripted, rows_of, tmp_path, capsys
):
  model = scripted(
    {
      'tea': 'Tea is  hot.',
      'rain': None,
      'chess': 'tea is hot',
      'moss': 'Moss is a fungus.',
      'salt': 'malformed',
    },
    {'Tea is': [0.75, 0.25], 'Moss is': [0.25, 0.75]},
  )
  write_notes(model)
  tea = {'id': 'tea', 'query': 'Tea is hot.', 'seed': 3, 'rating': 0.75}
  assert rows_of(tmp_path / 'synthetic_notes.jsonl') == [tea]
  assert rows_of(tmp_path / 'written_notes.jsonl') == [
    {**tea, 'dropped': None},
    {'id': 'rain', 'query': '', 'seed': 4, 'rating': None}
    | {'dropped': 'refused'},
    {'id': 'chess', 'query': 'tea is hot', 'seed': 5, 'rating': None}
    | {'dropped': 'duplicate'},
    {'id': 'moss', 'query': 'Moss is a fungus.', 'seed': 4, 'rating': 0.25}
    | {'dropped': 'rated low'},
    {'id': 'salt', 'query': 'malformed', 'seed': 4, 'rating': None}
    | {'dropped': 'malformed'},
  ]
  assert model.seeds == [3, 4, 5, 4, 4]
  assert model.rated == [
    'Is this good: Tea is hot.',
    'Is this good: Moss is a fungus.',
  ]
  assert capsys.readouterr().out == (
    f'{tmp_path}/synthetic_notes.jsonl: 1 of 5 rows are kept; dropped: '
    '1 refused, 1 duplicate, 1 rated low, 1 malformed\n'
  )


def test_a_row_that_the_auto_rater_refuses_is_dropped(
  write_notes, scripted, rows_of, tmp_path
):
  nothing = [float('nan')] * 2
  write_notes(scripted({'tea': 'Tea.'}, {'Tea': nothing}), subjects=['tea'])
  (row,) = rows_of(tmp_path / 'written_notes.jsonl')
  assert (row['dropped'], row['rating']) == ('not rated', None)


def test_without_a_least_rating_nothing_is_rated(
  write_notes, scripted, rows_of, tmp_path
):
  model = scripted({'tea': 'Tea.'})
  unrated = dataclasses.replace(KIND, min_rating=0.0)
  write_notes(model, kind=unrated, subjects=['tea'])
  assert not model.rated
  assert [
    row['rating'] for row in rows_of(tmp_path / 'synthetic_notes.jsonl')
  ] == [None]


@pytest.mark.parametrize('killed', [0, 2, 4])
def test_killed_work_goes_on_to_the_same_files(
  write_notes, scripted, tmp_path, monkeypatch, killed
):
  monkeypatch.setattr(writing, '_AT_ONCE', 2)
  answers = {name: f'A word on {name}.' for name in SUBJECTS}
  answers['salt'] = answers['tea']  # in the last block, and told a duplicate
  yes = {'A word': [1.0, 0.0]}
  write_notes(scripted(answers, yes))
  paths = sorted(tmp_path.glob('*.jsonl'))
  whole = [path.read_bytes() for path in paths]
  for path in paths:
    path.unlink()
  model = scripted(answers, yes)
  model.kill_at = killed
  with pytest.raises(KeyboardInterrupt):
    write_notes(model)
  assert not list(tmp_path.glob('*.jsonl'))
  model.kill_at = None
  write_notes(model)
  assert len(model.asked) == len(SUBJECTS)  # none was asked twice
  assert [path.read_bytes() for path in paths] == whole
  assert b'"dropped": "duplicate"' in b''.join(whole)


def test_two_processes_do_not_write_into_one_file(
  write_notes, scripted, tmp_path
):
  model = scripted({'tea': 'Tea.'})
  with (
    hold(tmp_path / 'synthetic_notes.jsonl'),
    pytest.raises(ValueError, match='Another process makes'),
  ):
    write_notes(model, subjects=['tea'])
  assert not model.asked


def test_work_that_was_killed_while_it_copied_the_good_rows_goes_on(
  write_notes, scripted, tmp_path
):
  write_notes(scripted({name: f'On {name}.' for name in SUBJECTS}))
  path = tmp_path / 'synthetic_notes.jsonl'
  whole = path.read_bytes()
  path.unlink()
  cut = whole[: whole.index(b'"chess"')]
  (tmp_path / 'synthetic_notes.jsonl.part').write_bytes(cut)
  model = scripted({})
  write_notes(model)
  assert path.read_bytes() == whole and not model.asked


def test_finished_work_is_not_done_again(write_notes, scripted, capsys):
  write_notes(scripted({'tea': 'Tea.'}), subjects=['tea'])
  model = scripted({})
  write_notes(model, subjects=['tea'])
  assert not model.asked
  assert capsys.readouterr().out.endswith('is there, with 1 rows\n')


def test_work_with_other_settings_is_refused(write_notes, scripted):
  write_notes(scripted({'tea': 'Tea.'}), subjects=['tea'], most=1)
  with pytest.raises(ValueError, match='was made otherwise: most was 1, is 2'):
    write_notes(scripted({}), subjects=['tea'], most=2)


def test_all_rows_kept_are_told_without_reasons():
  assert summary([{'dropped': None}] * 2) == '2 of 2 rows are kept'
