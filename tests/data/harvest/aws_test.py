import gzip
import json

import pytest

from gemb.data.cleaning import Drop
from gemb.data.harvest import aws
from gemb.data.labels import Labelled


def model(operations, *, name='Amazon Simple Queue Service'):
  return json.dumps(
    {
      'metadata': {'serviceFullName': name},
      'operations': {
        operation: {'documentation': text} if text else {}
        for operation, text in operations.items()
      },
    }
  )


def operation(documentation):
  return aws.Operation(
    service='sqs',
    service_name='Amazon Simple Queue Service',
    name='CreateQueue',
    documentation=documentation,
  )


def test_the_newest_version_of_a_service_is_read(write_wheel):
  new = model({'SendMessage': '<p>Sends.</p>', 'CreateQueue': ''})
  found = aws.operations(
    write_wheel(
      {
        'botocore/data/sqs/2011-10-01/service-2.json': model({'Old': ''}),
        'botocore/data/sqs/2012-11-05/service-2.json.gz': gzip.compress(
          new.encode()
        ),
        'botocore/data/sqs/2012-11-05/paginators-1.json': '{}',
      }
    )
  )
  assert [(o.service, o.name, o.documentation) for o in found] == [
    ('sqs', 'CreateQueue', ''),
    ('sqs', 'SendMessage', '<p>Sends.</p>'),
  ]


def test_an_operation_is_labelled_with_its_service():
  documentation = '<p>Creates a new <i>standard</i> queue.</p> <p>More.</p>'
  found = aws.services([operation(documentation), operation('<p>Stops.</p>')])
  assert list(found) == [
    Labelled(
      id='sqs:CreateQueue',
      language='en',
      text='Creates a new standard queue.',
      label='Amazon Simple Queue Service',
    ),
    Drop.SHORT_TEXT,
  ]


@pytest.mark.parametrize(
  ('documentation', 'text'),
  [
    ('', ''),
    ('Plain text &amp; no tags.', 'Plain text & no tags.'),
    ('<p>One.</p><p>Two.</p>', 'One.'),
    ('<p>Open.<p>Closed.</p>', 'Open.'),
    ('<p> </p><p>Spaces\n  inside.</p>', 'Spaces inside.'),
    ('<note> <p>Old.</p> </note> <p>Creates a key.</p>', 'Creates a key.'),
    ('<important><p>Old.</p></important><p>New.</p>', 'New.'),
  ],
)
def test_the_first_paragraph_is_plain_text(documentation, text):
  assert aws.first_paragraph(documentation) == text


def test_one_service_in_ten_is_held_out():
  services = [f'service{i}' for i in range(1000)]
  assert 80 < sum(map(aws.held_out, services)) < 120
  assert aws.held_out('cloud9') and not aws.held_out('ec2')


def test_versions_and_parts_of_a_service_are_held_out_together():
  services = [
    'pinpoint',
    'pinpoint-email',
    'pinpoint-sms-voice-v2',
    'sms-voice',
  ]
  assert all(map(aws.held_out, [*services, 'mediapackage', 'mediapackagev2']))
