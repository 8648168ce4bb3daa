import io
import json
import tarfile

import pytest

from gemb.data import archives, corpora, pinned

TEXT = (
  'Creates a queue for messages, which are kept there until one takes them '
  'or they have grown too old.'
)
DOCUMENT = f'Queues\n======\n\n{TEXT}\n'
AWS = {
  'metadata': {'serviceFullName': 'Amazon Queues'},
  'operations': {'CreateQueue': {'documentation': f'<p>{TEXT}</p>'}},
}
GOOGLE = {
  'title': 'Queues API',
  'resources': {'queues': {'methods': {'create': {'description': TEXT}}}},
}


@pytest.fixture
def served(monkeypatch, write_wheel, tmp_path):
  """Serves tiny archives in the place of the pinned ones."""

  def write_sdist(name):
    path = tmp_path / name.replace('/', '-')
    with tarfile.open(path, 'w:gz') as archive:
      member = tarfile.TarInfo(f'tiny-1.0/{name}')
      member.size = len(DOCUMENT)
      archive.addfile(member, io.BytesIO(DOCUMENT.encode()))
    return path

  aws = 'botocore/data/sqs/2012-11-05/service-2.json'
  google = 'googleapiclient/discovery_cache/documents/queues.v1.json'
  found = {
    pinned.BOTOCORE: write_wheel({aws: json.dumps(AWS)}, 'aws.whl'),
    pinned.GOOGLE_API: write_wheel({google: json.dumps(GOOGLE)}, 'google.whl'),
    pinned.DJANGO_SOURCE: write_sdist('docs/queues.txt'),
    pinned.SPHINX_SOURCE: write_sdist('doc/queues.rst'),
  }
  monkeypatch.setattr(archives, 'fetch', found.__getitem__)


@pytest.mark.parametrize(
  ('name', 'key', 'query'),
  [
    ('botocore_passages', 'sqs:CreateQueue', 'Amazon Queues: Create queue'),
    (
      'google_api_passages',
      'queues.v1:queues.create',
      'Queues API: Create queues',
    ),
    ('django_documentation', 'queues:0-queues', 'Queues'),
    ('sphinx_documentation', 'queues:0-queues', 'Queues'),
  ],
)
def test_titles_give_their_passages(served, read, name, key, query):
  [row] = read(name)
  assert row['id'] == key.encode()
  assert row['query'] == query.encode()
  assert row['positive'] == TEXT.encode()
  assert row['language'] == b'en'
  assert corpora.prepare(name).info.metadata['kind'] == 'title and passage'
