import json
import pathlib

import pytest

from gemb.train import integrity


def write_checkpoint(folder, step, digest=True):
  """Writes three files as orbax does, one of them long."""
  checkpoint = folder / str(step)
  for name, content in {
    'about/metadata': b'{"a": 1}',
    'state/_METADATA': b'{}',
    'state/manifest': b'hollow',
    'state/d/long': bytes(integrity._SMALL + 1),
    '_CHECKPOINT_METADATA': b'{"commit_timestamp_nsecs": null}',
  }.items():
    (checkpoint / name).parent.mkdir(parents=True, exist_ok=True)
    (checkpoint / name).write_bytes(content)
  if digest:
    integrity.write_digest(checkpoint)
  return checkpoint


@pytest.fixture
def checkpoint(tmp_path):
  return write_checkpoint(tmp_path, 100)


def cut_off(path):
  path.write_bytes(path.read_bytes()[:2])


def flip_bit(path):
  content = bytearray(path.read_bytes())
  content[3] ^= 4
  path.write_bytes(content)


def test_a_digest_holds_bytes_and_hashes_of_what_was_written(checkpoint):
  digest = json.loads((checkpoint / 'digest.json').read_text())['sha256']
  assert sorted(digest) == [
    'about/metadata',
    'state/_METADATA',
    'state/d/long',
    'state/manifest',
  ]
  # echo -n hollow | sha256sum
  assert digest['state/manifest'] == [
    6,
    'b21b17b4ecc60cdbfa7b8dfd13b611a862f8c0a8416f0a0958356cffef8e26f2',
  ]


@pytest.mark.parametrize('glance', [False, True])
def test_what_was_written_is_whole(checkpoint, glance):
  assert integrity.damage(checkpoint, glance=glance) == ''


def test_what_orbax_writes_last_is_no_damage(checkpoint):
  (checkpoint / '_CHECKPOINT_METADATA').write_text('{"commit": 7}')
  (checkpoint / 'commit_success.txt').write_text('Checkpoint commit was ...')
  assert integrity.damage(checkpoint) == ''


def test_a_checkpoint_without_digest_is_taken_for_whole(tmp_path):
  old = write_checkpoint(tmp_path, 3, digest=False)
  (old / 'state' / 'manifest').unlink()
  assert integrity.damage(old) == ''


def test_the_rest_of_a_deleted_checkpoint_is_not(tmp_path):
  old = write_checkpoint(tmp_path, 3, digest=False)
  (old / 'state' / '_METADATA').unlink()
  assert integrity.damage(old) == 'state/_METADATA is missing'


@pytest.mark.parametrize('glance', [False, True])
@pytest.mark.parametrize(
  ('name', 'spoil', 'said'),
  [
    ('state/manifest', cut_off, 'has 2 bytes instead of 6'),
    ('state/d/long', cut_off, 'has 2 bytes instead of 1048577'),
    ('state/d/long', pathlib.Path.unlink, 'is missing'),
    ('about/metadata', flip_bit, 'has other content than was written'),
    ('digest.json', cut_off, 'cannot be read'),
    ('digest.json', lambda x: x.write_text('{"sha1": {}}'), 'cannot be read'),
  ],
)
def test_what_was_cut_off_changed_or_lost_is_named(
  checkpoint, glance, name, spoil, said
):
  spoil(checkpoint / name)
  assert integrity.damage(checkpoint, glance=glance) == f'{name} {said}'


def test_a_flipped_bit_in_a_long_file_is_seen_when_all_is_read(checkpoint):
  flip_bit(checkpoint / 'state' / 'd' / 'long')
  assert integrity.damage(checkpoint, glance=True) == ''
  assert integrity.damage(checkpoint) == (
    'state/d/long has other content than was written'
  )


def test_a_file_that_the_disk_does_not_give_is_named(checkpoint):
  (checkpoint / 'state' / 'manifest').unlink()
  # A link to itself: of a user that may read all, the system refuses it too.
  (checkpoint / 'state' / 'manifest').symlink_to('manifest')
  assert integrity.damage(checkpoint) == (
    'state/manifest cannot be read (Too many levels of symbolic links)'
  )


def test_a_damaged_checkpoint_is_refused_and_the_whole_ones_are_named(tmp_path):
  for step in (20, 40, 60):
    write_checkpoint(tmp_path, step)
  (tmp_path / '60' / 'state' / 'manifest').write_text('')
  integrity.check_whole(tmp_path, 40, glance=False)
  with pytest.raises(ValueError) as error:
    integrity.check_whole(tmp_path, 60, glance=False)
  assert str(error.value) == (
    f'The checkpoint of step 60 in {tmp_path} is damaged: state/manifest has '
    '0 bytes instead of 6. Copy it again if you have it elsewhere, or name one '
    'that is whole by its step: [20, 40].'
  )


def test_where_no_other_is_whole_it_is_said(checkpoint):
  (checkpoint / 'state' / 'manifest').unlink()
  with pytest.raises(ValueError, match='no other is whole; train the model ag'):
    integrity.check_whole(checkpoint.parent, 100, glance=True)


def test_damaged_checkpoints_are_set_aside_until_one_is_whole(tmp_path):
  for step in (40, 60, 80, 100):
    write_checkpoint(tmp_path, step)
  (tmp_path / '100' / 'state' / 'manifest').write_text('')
  flip_bit(tmp_path / '80' / 'state' / 'd' / 'long')
  cut_off(tmp_path / '40' / 'about' / 'metadata')
  assert integrity.set_aside_damaged(tmp_path) == [
    'The checkpoint of step 100 is damaged: state/manifest has 0 bytes instead '
    f'of 6. It was moved to {tmp_path}/damaged_100; going on from step 60.',
    'The checkpoint of step 80 is damaged: state/d/long has other content than '
    f'was written. It was moved to {tmp_path}/damaged_80; going on from step '
    '60.',
    'The checkpoint of step 40 is damaged: about/metadata has 2 bytes instead '
    f'of 8. It was moved to {tmp_path}/damaged_40; going on from step 60.',
  ]
  assert integrity.steps(tmp_path) == [60]
  assert (tmp_path / 'damaged_80' / 'state' / 'd' / 'long').is_file()
  assert integrity.set_aside_damaged(tmp_path) == []


def test_an_old_one_whose_deletion_was_cut_short_is_left_to_orbax(tmp_path):
  for step in (40, 60, 80):
    write_checkpoint(tmp_path, step)
  (tmp_path / '40' / 'about' / 'metadata').unlink()
  assert integrity.set_aside_damaged(tmp_path) == []
  assert integrity.steps(tmp_path) == [40, 60, 80]


def test_where_all_are_damaged_the_run_begins_anew(checkpoint):
  (checkpoint / 'state' / 'manifest').unlink()
  (said,) = integrity.set_aside_damaged(checkpoint.parent)
  assert said.endswith('; no whole one is left, and the run begins anew.')


def test_what_was_set_aside_before_stays(tmp_path):
  for name in ('damaged_100', 'damaged_100_2', 'damaged_100_3'):
    write_checkpoint(tmp_path, 100)
    (tmp_path / '100' / 'state' / 'manifest').unlink()
    (said,) = integrity.set_aside_damaged(tmp_path)
    assert f'moved to {tmp_path / name};' in said
    assert (tmp_path / name / 'about' / 'metadata').is_file()


def test_a_folder_that_is_not_there_has_no_damage(tmp_path):
  assert integrity.set_aside_damaged(tmp_path / 'checkpoints') == []


def test_steps_are_in_the_order_of_numbers(tmp_path):
  for name in ('100', '20', '3.orbax-checkpoint-tmp', 'damaged_4'):
    (tmp_path / name).mkdir()
  assert integrity.steps(tmp_path) == [20, 100]


def test_the_size_is_that_of_all_files(tmp_path):
  (tmp_path / '1' / 'a').mkdir(parents=True)
  (tmp_path / '1' / 'a' / 'b').write_text('1234')
  (tmp_path / '1' / 'c').write_text('56')
  assert integrity.size(tmp_path / '1') == 6


def test_a_replaced_file_is_no_damage(checkpoint):
  integrity.replace_file(checkpoint, 'state/manifest', 'solid')
  assert (checkpoint / 'state' / 'manifest').read_text() == 'solid'
  assert integrity.damage(checkpoint) == ''
  flip_bit(checkpoint / 'about' / 'metadata')
  assert 'about/metadata has other' in integrity.damage(checkpoint)


def test_a_checkpoint_is_whole_at_every_moment_of_a_replacement(
  checkpoint, monkeypatch
):
  moments = []

  def write_and_look(path, content):
    moments.append(integrity.damage(checkpoint))
    path.write_text(content)
    moments.append(integrity.damage(checkpoint))
    return path

  monkeypatch.setattr(integrity.files, 'write_file', write_and_look)
  integrity.replace_file(checkpoint, 'state/manifest', 'solid')
  assert moments == ['', '', '', '']


def test_an_old_checkpoint_gets_no_digest_of_a_part(tmp_path):
  old = write_checkpoint(tmp_path, 3, digest=False)
  integrity.replace_file(old, 'state/manifest', 'solid')
  assert not (old / 'digest.json').exists()
