"""What of local evaluation files has to be kept out of training."""

import json

import pytest

from gemb.evals.mteb import texts


@pytest.fixture
def write(tmp_path):
  """Writes rows to a file of the folder."""

  def write_file(name, rows):
    path = tmp_path / name
    path.write_text('\n'.join(map(json.dumps, rows)))
    return path

  return write_file


def test_both_sides_of_pairs_are_read(write):
  path = write('sts.jsonl', [{'sentence1': 'a', 'sentence2': 'b', 'score': 1}])
  assert texts.read_texts(path) == {'sts': ['a', 'b']}


def test_labels_and_clusters_are_not_texts(write, tmp_path):
  write('heaps.jsonl', [{'text': 'a', 'cluster': 'animals'}])
  write('intents_test.jsonl', [{'text': 'b', 'category': 'greeting'}])
  assert texts.read_texts(tmp_path) == {'heaps': ['a'], 'intents': ['b']}


def test_queries_and_passages_are_one_set_without_titles(write, tmp_path):
  write('find.jsonl', [{'query': 'q', 'id': '1'}])
  write('find_corpus.jsonl', [{'id': '1', 'title': 'Notes', 'text': 'p'}])
  assert texts.read_texts(tmp_path) == {'find': ['q', 'p']}


def test_what_is_there_to_be_trained_on_is_left_out(write, tmp_path):
  write('intents_train.jsonl', [{'text': 'a', 'label': 'x'}])
  write(
    'sts.jsonl',
    [
      {'sentence1': 'b', 'sentence2': 'c', 'score': 1, 'split': 'train'},
      {'sentence1': 'd', 'sentence2': 'e', 'score': 1, 'split': 'dev'},
    ],
  )
  assert texts.read_texts(tmp_path) == {'sts': ['d', 'e']}


def test_other_files_of_a_folder_are_left_alone(write, tmp_path):
  (tmp_path / 'README.md').write_text('words')
  (tmp_path / 'folder.jsonl').mkdir()
  write('sts.jsonl', [{'sentence1': 'a', 'sentence2': 'b'}])
  assert texts.read_texts(tmp_path) == {'sts': ['a', 'b']}


@pytest.mark.parametrize('name', ['nowhere', 'README.md', ''])
def test_a_path_without_evaluation_texts_is_refused(name, tmp_path):
  (tmp_path / 'README.md').write_text('words')
  with pytest.raises(
    FileNotFoundError, match=r'holds no \.jsonl or \.csv file'
  ):
    texts.read_texts(tmp_path / name)
