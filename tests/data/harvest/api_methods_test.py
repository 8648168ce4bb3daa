import gzip
import json

import pytest

from gemb.data.cleaning import Drop
from gemb.data.harvest import api_methods, aws

QUEUE = 'Creates a new queue, which takes messages and keeps them.'
COPY = 'Copies a file and gives the [copy](https://a.b) another `title`.'


def aws_model(name, documentation):
  model = {
    'metadata': {'serviceFullName': 'Amazon Simple Queue Service'},
    'operations': {name: {'documentation': documentation}},
  }
  return gzip.compress(json.dumps(model).encode())


def google_model(methods):
  model = {
    'title': 'Drive API',
    'resources': {
      'files': {
        'methods': {name: {'description': text} for name, text in methods}
      }
    },
  }
  return json.dumps(model)


def read_google(write_wheel, documents):
  folder = 'googleapiclient/discovery_cache/documents'
  files = {f'{folder}/{name}.json': text for name, text in documents.items()}
  return list(api_methods.read_google(write_wheel(files)))


def test_an_operation_of_aws_is_paired_with_its_documentation(write_wheel):
  model = aws_model('CreateQueue', f'<p>{QUEUE}</p> <note><p>Old.</p></note>')
  name = 'data/{}/2012-11-05/service-2.json.gz'
  assert aws.held_out('cloud9')
  [found] = api_methods.read_aws(
    write_wheel(
      {
        f'botocore/{name.format("sqs")}': model,
        f'botocore/{name.format("cloud9")}': model,
      }
    )
  )
  assert found.id == 'sqs:CreateQueue'
  assert (found.group, found.language) == ('sqs', 'en')
  assert found.query == 'Amazon Simple Queue Service: Create queue'
  assert found.positive == f'{QUEUE}\nOld.'


def test_a_method_of_google_is_paired_with_its_description(write_wheel):
  model = google_model([('copy', COPY)])
  [found] = read_google(write_wheel, {'drive.v3': model})
  assert found.id == 'drive.v3:files.copy'
  assert found.group == 'drive.v3'
  assert found.query == 'Drive API: Copy files'
  assert found.positive == 'Copies a file and gives the copy another title.'


def test_versions_in_use_are_read_before_trials(write_wheel):
  model = google_model([('copy', COPY)])
  found = read_google(write_wheel, {'drive.v1beta': model, 'drive.v3': model})
  assert [pair.group for pair in found] == ['drive.v3', 'drive.v1beta']


def test_documentation_of_few_words_is_dropped(write_wheel):
  model = google_model([('copy', 'Copies a file.'), ('get', '')])
  assert read_google(write_wheel, {'drive.v3': model}) == [
    Drop.SHORT_TEXT,
    Drop.SHORT_TEXT,
  ]


@pytest.mark.parametrize(
  ('name', 'words'),
  [
    ('CreateBucket', 'Create bucket'),
    ('batchGet', 'Batch get'),
    ('DescribeDBClusters', 'Describe DB clusters'),
    ('AssociateVPCs', 'Associate VPCs'),
    ('ListObjectsV2', 'List objects V 2'),
    ('get', 'Get'),
  ],
)
def test_names_become_words(name, words):
  assert api_methods.in_words(name) == words
