import pytest

from gemb.data import archives, pinned

EXAMPLE = """\
**To delete a bucket**

The following ``rb`` example deletes the bucket ``mine``. ::

    aws {} rb \\
        --name mine
"""


@pytest.fixture(autouse=True)
def _wheel(monkeypatch, write_wheel):
  folder = 'awscli/examples/{0}/rb.rst'
  services = 's3', 'cloud9'
  wheel = write_wheel(
    {folder.format(name): EXAMPLE.format(name) for name in services}
  )
  monkeypatch.setattr(archives, 'fetch', {pinned.AWSCLI: wheel}.__getitem__)


@pytest.mark.parametrize(
  ('name', 'service'),
  [('aws_commands', 's3'), ('aws_commands_held_out', 'cloud9')],
)
def test_a_service_is_trained_on_or_held_out(read, name, service):
  [row] = read(name)
  assert row['id'] == f'{service}/rb:1'.encode()
  assert row['query'] == b'Deletes the bucket mine.'
  assert row['positive'] == f'aws {service} rb --name mine'.encode()
  assert row['language'] == b'shell'
