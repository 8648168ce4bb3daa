"""Queued resources: each call as gcloud takes it."""

import pytest

from gemb.launch.queued_resource import QueuedResource

MINE = QueuedResource(name='mine', project='my-project', zone='us-west4-a')


@pytest.mark.parametrize(
  ('call', 'words'),
  [
    (
      MINE.create(slices=1, options=['--spot']),
      'create mine --spot --node-id=mine',
    ),
    (
      MINE.create(slices=2, options=[]),
      'create mine --node-count=2 --node-prefix=mine',
    ),
    (MINE.delete(with_machines=False), 'delete mine'),
    (MINE.delete(with_machines=True), 'delete mine --force'),
    (MINE.state(), 'describe mine --format=value(state.state)'),
    (MINE.ssh('date'), 'ssh mine --node=all --worker=all --command=date'),
    (MINE.ssh('date', '0'), 'ssh mine --node=0 --worker=0 --command=date'),
    (
      MINE.copy(['a', 'b'], 'to'),
      'scp a b mine:to/ --node=all --worker=all',
    ),
  ],
)
def test_a_call_is_published_and_names_project_and_zone(
  call, words, unknown_flags
):
  assert ' '.join(call) == (
    f'gcloud compute tpus queued-resources {words} --project=my-project '
    '--zone=us-west4-a --quiet'
  )
  assert not unknown_flags(call)
