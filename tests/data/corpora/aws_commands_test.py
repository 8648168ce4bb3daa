import pytest

from gemb.data import archives, corpora, pinned

EXAMPLE = """\
**To delete a bucket**

The following ``rb`` example deletes the bucket ``mine``. ::

    aws {} rb \\
        --name mine
"""


@pytest.fixture(autouse=True)
def _wheel(data_folder, monkeypatch, write_wheel):
  folder = 'awscli/examples/{0}/rb.rst'
  services = 's3', 'cloud9'
  wheel = write_wheel(
    {folder.format(name): EXAMPLE.format(name) for name in services}
  )
  monkeypatch.setattr(archives, 'fetch', {pinned.AWSCLI: wheel}.__getitem__)


@pytest.mark.parametrize(
  ('name', 'split', 'service'),
  [
    ('aws_commands', 'train', 's3'),
    ('aws_commands_held_out', 'test', 'cloud9'),
  ],
)
def test_a_service_is_trained_on_or_held_out(name, split, service):
  builder = corpora.prepare(name)
  assert list(builder.info.splits) == [split]
  [row] = builder.as_dataset(split=split).as_numpy_iterator()
  assert row['id'] == f'{service}/rb:1'.encode()
  assert row['query'] == b'Deletes the bucket mine.'
  assert row['positive'] == f'aws {service} rb --name mine'.encode()
  assert row['language'] == b'shell'
