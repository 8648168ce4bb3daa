"""Small data sets that TFDS and `datasets` wrote themselves; no network."""

import re
import sys

import datasets
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from gemb.data import intake
from gemb.data.readers import libraries
from gemb.data.readers.libraries import HuggingFace, Tfds
from gemb.data.readers.row import Row
from gemb.data.sources import SourceConfig

COLUMNS = {
  'query': ['a', 'b', 'ü'],
  'negatives': [['x'], [], ['y', 'z']],
  'kind': [0, 1, -1],
}


@pytest.fixture(scope='module')
def tfds_folder(tmp_path_factory):
  """Returns the folder of a prepared data set with the split 'test'."""
  folder = tmp_path_factory.mktemp('tfds')
  ragged = tf.ragged.constant(COLUMNS['negatives'], dtype=tf.string)
  rows = tf.data.Dataset.from_tensor_slices({**COLUMNS, 'negatives': ragged})
  tfds.disable_progress_bar()
  tfds.dataset_builders.store_as_tfds_dataset(
    name='small_pairs',
    version='1.2.3',
    features=tfds.features.FeaturesDict(
      {
        'query': tfds.features.Text(),
        'negatives': tfds.features.Sequence(tfds.features.Text()),
        'kind': tfds.features.ClassLabel(names=['odd', 'even']),
      }
    ),
    split_datasets={'test': rows},
    data_dir=folder,
    disable_shuffling=True,
  )
  tfds.enable_progress_bar()
  return str(folder / 'small_pairs' / '1.2.3')


@pytest.fixture(scope='module')
def hf_folder(tmp_path_factory):
  """Returns the folder of a saved data set with the split 'test'."""
  folder = str(tmp_path_factory.mktemp('hf') / 'pairs')
  features = datasets.Features(
    {
      'query': datasets.Value('string'),
      'negatives': datasets.List(datasets.Value('string')),
      'kind': datasets.ClassLabel(names=['odd', 'even']),
    }
  )
  datasets.disable_progress_bars()
  rows = datasets.Dataset.from_dict(COLUMNS, features=features)
  datasets.DatasetDict({'test': rows}).save_to_disk(folder)
  return folder


def test_rows_of_tfds_are_read_in_order(tfds_folder, monkeypatch):
  monkeypatch.setattr(libraries, 'AT_ONCE', 2)
  reader = Tfds(tfds_folder, 'test')
  assert set(reader.names()) == {'query', 'negatives', 'kind'}
  where = 'tfds small_pairs/1.2.3 test, row'
  assert list(reader.rows(['query', 'negatives', 'kind', 'other'])) == [
    Row(f'{where} 1', {'query': b'a', 'negatives': [b'x'], 'kind': 'odd'}),
    Row(f'{where} 2', {'query': b'b', 'negatives': [], 'kind': 'even'}),
    Row(
      f'{where} 3',
      {'query': 'ü'.encode(), 'negatives': [b'y', b'z'], 'kind': None},
    ),
  ]


def test_rows_of_hugging_face_are_read_in_order(hf_folder, monkeypatch):
  monkeypatch.setattr(libraries, 'AT_ONCE', 2)
  reader = HuggingFace(hf_folder, 'test')
  assert reader.names() == ['query', 'negatives', 'kind']
  where = f'hf:{hf_folder}, row'
  assert list(reader.rows(['query', 'negatives', 'kind', 'other'])) == [
    Row(f'{where} 1', {'query': 'a', 'negatives': ['x'], 'kind': 'odd'}),
    Row(f'{where} 2', {'query': 'b', 'negatives': [], 'kind': 'even'}),
    Row(f'{where} 3', {'query': 'ü', 'negatives': ['y', 'z'], 'kind': None}),
  ]


@pytest.mark.parametrize('kind', ['tfds', 'hf'])
def test_a_data_set_becomes_examples_by_its_fields(
  tfds_folder, hf_folder, kind
):
  folder = {'tfds': tfds_folder, 'hf': hf_folder}[kind]
  config = SourceConfig(
    task='mine',
    path=f'{kind}:{folder}',
    split='test',
    label='kind',
    max_bad_share=0.4,  # the third has no class
  )
  intake.check(config)
  read = {(e.query, e.positive, e.label) for e in intake.read(config)}
  assert read == {('a', 'odd', 'odd'), ('b', 'even', 'even')}
  assert intake.identity(config) == intake.identity(config)


@pytest.mark.parametrize(
  ('path', 'module', 'extra'),
  [
    ('hf:owner/name', 'datasets', 'huggingface'),
    ('tfds:name', 'tensorflow_datasets', 'data'),
  ],
)
def test_a_missing_library_is_an_error_that_names_the_extra(
  monkeypatch, path, module, extra
):
  monkeypatch.setitem(sys.modules, module, None)
  message = f"needs {module}, which is not installed: pip install -e '.[{extra}"
  with pytest.raises(ValueError, match=re.escape(message)):
    intake.check(SourceConfig(task='mine', path=path))


def test_fields_that_are_not_named_are_not_read(tfds_folder, hf_folder):
  for reader in Tfds(tfds_folder, 'test'), HuggingFace(hf_folder, 'test'):
    assert {len(row.values) for row in reader.rows(['query'])} == {1}


def test_the_content_of_tfds_is_its_version_and_split(tfds_folder):
  content = Tfds(tfds_folder, 'test').content()
  assert content == 'tfds small_pairs/1.2.3 test'


def test_the_content_of_hugging_face_is_noticed(tmp_path, hf_folder):
  contents = set()
  for texts in ['a', 'b'], ['a', 'c']:
    folder = str(tmp_path / ''.join(texts))
    datasets.Dataset.from_dict({'query': texts}).save_to_disk(folder)
    contents.add(HuggingFace(folder, 'train').content())
  assert len(contents) == 2
  read_twice = {HuggingFace(hf_folder, 'test').content() for _ in range(2)}
  assert len(read_twice) == 1


def test_a_data_set_without_splits_needs_none(tmp_path):
  rows = datasets.Dataset.from_dict({'query': ['a']})
  rows.save_to_disk(str(tmp_path / 'pairs'))
  reader = HuggingFace(str(tmp_path / 'pairs'), 'train')
  assert [row.values for row in reader.rows(['query'])] == [{'query': 'a'}]


def test_a_data_set_without_the_split_is_an_error(tfds_folder, hf_folder):
  message = "has no split 'train'; the nearest are ['test']. Name one in Source"
  for kind, folder in (Tfds, tfds_folder), (HuggingFace, hf_folder):
    with pytest.raises(ValueError, match=re.escape(message)):
      kind(folder, 'train')


def test_a_data_set_that_cannot_be_had_is_an_error(tmp_path, monkeypatch):
  monkeypatch.setattr(datasets.config, 'HF_HUB_OFFLINE', True)
  empty = str(tmp_path)
  for kind, prefix, name in (
    (Tfds, 'tfds', 'no_such_data_set'),
    (Tfds, 'tfds', empty),
    (HuggingFace, 'hf', 'nobody/no_such_data_set'),
    (HuggingFace, 'hf', empty),
  ):
    with pytest.raises(ValueError, match=f'{prefix}:{name} cannot be had'):
      kind(name, 'train')
