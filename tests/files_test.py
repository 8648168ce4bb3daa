import pytest

from gemb import files


def names(folder):
  return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize('content', ['Grüße\n', 'Grüße\n'.encode()])
def test_a_file_is_written_with_its_folders(tmp_path, content):
  files.write_file(tmp_path / 'a' / 'b' / 'file.txt', content)
  assert (tmp_path / 'a' / 'b' / 'file.txt').read_bytes() == 'Grüße\n'.encode()
  assert names(tmp_path / 'a' / 'b') == ['file.txt']


def test_a_written_file_takes_the_place_of_the_old_one(tmp_path):
  files.write_file(tmp_path / 'file', 'old, and longer')
  with (tmp_path / 'file').open() as reader:
    files.write_file(tmp_path / 'file', 'new')
    assert reader.read() == 'old, and longer'
  assert (tmp_path / 'file').read_text() == 'new'


def test_nothing_is_seen_under_the_name_before_the_end(tmp_path):
  path = tmp_path / 'file'
  with files.write_path(path) as temporary:
    temporary.write_text('half')
    assert temporary.parent == tmp_path
    assert not path.exists()
  assert path.read_text() == 'half'


def test_an_exception_while_writing_leaves_the_old_file(tmp_path):
  path = tmp_path / 'file'
  path.write_text('old')
  with pytest.raises(KeyboardInterrupt), files.write_path(path) as temporary:
    temporary.write_text('half')
    raise KeyboardInterrupt
  assert path.read_text() == 'old'
  assert names(tmp_path) == ['file']


def test_an_exception_before_anything_is_written_is_not_hidden(tmp_path):
  with (
    pytest.raises(ValueError, match='mine'),
    files.write_path(tmp_path / 'a'),
  ):
    raise ValueError('mine')
  assert names(tmp_path) == []


def test_a_folder_is_seen_when_it_is_whole(tmp_path):
  path = tmp_path / 'a' / 'folder'
  with files.write_folder(path) as temporary:
    (temporary / 'one').write_text('1')
    assert not path.exists()
    (temporary / 'two').write_text('2')
  assert names(path) == ['one', 'two']
  assert names(path.parent) == ['folder']


def test_an_exception_while_filling_a_folder_leaves_nothing(tmp_path):
  path = tmp_path / 'folder'
  with pytest.raises(KeyboardInterrupt), files.write_folder(path) as temporary:
    (temporary / 'one').write_text('1')
    raise KeyboardInterrupt
  assert names(tmp_path) == []


def test_of_two_writers_of_a_folder_the_first_is_kept(tmp_path):
  path = tmp_path / 'folder'
  with files.write_folder(path) as slow:
    (slow / 'file').write_text('slow')
    with files.write_folder(path) as quick:
      (quick / 'file').write_text('quick')
  assert (path / 'file').read_text() == 'quick'
  assert names(tmp_path) == ['folder']


def test_a_file_where_a_folder_should_be_is_an_error_and_is_kept(tmp_path):
  path = tmp_path / 'folder'
  path.write_text('precious')
  with pytest.raises(NotADirectoryError), files.write_folder(path):
    pass
  assert path.read_text() == 'precious'
  assert names(tmp_path) == ['folder']
