"""Files of one NAME together."""

import re

import pytest

from gemb.evals.mteb import sets


@pytest.fixture
def read(tmp_path):
  """Reads a folder of files, given by name and content."""

  def read_folder(**contents):
    for name, content in contents.items():
      (tmp_path / f'{name}.csv').write_text(content)
    return sets.read_sets(tmp_path)

  return read_folder


def test_each_name_is_a_set(read):
  first, second = read(
    b_train='text,label\nx,1',
    b_dev='text,label\ny,1\nz,2',
    a='sentence1,sentence2\nx,y',
  )
  assert (first.name, first.kind) == ('a', 'BitextMining')
  assert first.rows == {
    'default': {'test': [{'sentence1': 'x', 'sentence2': 'y'}]}
  }
  assert (second.name, second.kind) == ('b', 'Classification')
  assert second.scored == ['dev']
  assert len(second.rows['default']['dev']) == 2


def test_languages_and_splits_stand_in_columns(read):
  (found,) = read(
    a='sentence1,sentence2,score,split,language\n'
    'a,b,1,dev,de\nc,d,2,train,de\ne,f,3,dev,fr\n'
  )
  assert found.scored == ['dev']
  assert {k: set(v) for k, v in found.rows.items()} == {
    'de': {'dev', 'train'},
    'fr': {'dev'},
  }


def test_queries_go_with_their_corpus(read):
  (found,) = read(
    a_corpus='doc_id,code\n1,x\n2,y', a_dev='query,doc_id\nq,2\nr,1'
  )
  assert (found.kind, found.programming) == ('Retrieval', True)
  assert found.passages('default') == [
    {'id': '1', 'text': 'x'},
    {'id': '2', 'text': 'y'},
  ]
  assert found.rows['default']['dev'][0] == {'query': 'q', 'id': '2'}


def test_a_language_is_searched_in_its_own_passages_or_in_all(read):
  queries = 'query,id,language\nq,1,de\nr,1,fr'
  (found,) = read(a_corpus='id,text,language\n1,x,de\n1,y,fr', a=queries)
  assert [row['text'] for row in found.passages('fr')] == ['y']
  (found,) = read(a_corpus='id,text\n1,x', a=queries)
  assert [row['text'] for row in found.passages('fr')] == ['x']


def test_the_revision_is_that_of_the_content(read):
  (one,) = read(a='sentence1,sentence2\nx,y')
  (same,) = read(a='sentence1,sentence2\nx,y')
  (other,) = read(a='sentence1,sentence2\nx,z')
  assert one.revision == same.revision != other.revision


@pytest.mark.parametrize(
  ('contents', 'message'),
  [
    (
      {'a': 'query,id\nq,1'},
      r"files of 'a' do not make a set: a\.csv \(Retrieval\); .* and a_corpus",
    ),
    ({'a_corpus': 'id,text\n1,x'}, 'do not make a set'),
    (
      {'a_dev': 'text,label\nx,1', 'a_test': 'text,cluster\nx,1'},
      'do not make a set',
    ),
    (
      {'a_dev': 'text,label\nx,1'},
      r"'a' has rows in \['dev'\], and none in \['train'\]; add them, as a_tra",
    ),
    ({'a_train': 'sentence1,sentence2\nx,y'}, r"none in \['test'\]"),
    (
      {'a': 'text,cluster,split,language\nx,1,dev,de\nx,1,test,fr'},
      r"rows of language 'de' in \['dev'\], and none in \['test'\]",
    ),
    (
      {
        'a': 'text,cluster,split\nx,1,dev',
        'a_dev': 'text,cluster\nx,1',
      },
      "both have rows of the split 'dev'",
    ),
    (
      {'a_corpus': 'id,text\n1,x', 'a_dev': 'query,id\nq,1\nr,2'},
      "1 of 2 rows of 'a' name passages that a_corpus does not have, .* '2'",
    ),
    (
      {'a_corpus': 'id,text\n1,x\n1,y', 'a_dev': 'query,id\nq,1'},
      'a_corpus has passages with the same id',
    ),
  ],
)
def test_what_does_not_go_together_is_one_sentence(read, contents, message):
  with pytest.raises(ValueError, match=message) as caught:
    read(**contents)
  assert '\n' not in str(caught.value)


def test_a_folder_without_files_is_named(tmp_path):
  (tmp_path / 'README.md').write_text('nothing here')
  for folder in (tmp_path, tmp_path / 'nowhere'):
    message = re.escape(f'{folder} holds no .jsonl or .csv file')
    with pytest.raises(FileNotFoundError, match=message):
      sets.read_sets(folder)
