import pytest

from gemb.data.cleaning import Drop
from gemb.data.harvest import aws, aws_commands

CREATE = """\
**Example 1: To create a bucket**

The following ``create-bucket`` example creates a bucket named ``mine``. It is
empty. ::

    aws s3api create-bucket \\
        --bucket mine

Output::

    { "Location": "/mine" }

For more information, see the guide.

**Example 2: To create a bucket elsewhere**

Command::

  aws s3api create-bucket --bucket yours --region eu-west-1
"""


def read(write_wheel, text, *, service='s3api', held_out=False):
  name = f'awscli/examples/{service}/create-bucket.rst'
  wheel = write_wheel({name: text, 'awscli/examples/global_options.rst': ''})
  return list(aws_commands.read(wheel, held_out=held_out))


def test_each_command_is_paired_with_what_it_does(write_wheel):
  first, second = read(write_wheel, CREATE)
  assert first.id == 's3api/create-bucket:1'
  assert (first.group, first.language) == ('s3api', 'shell')
  assert first.query == 'Creates a bucket named mine.'
  assert first.positive == 'aws s3api create-bucket --bucket mine'
  assert second.id == 's3api/create-bucket:2'
  assert second.query == 'Create a bucket elsewhere.'
  assert second.positive == (
    'aws s3api create-bucket --bucket yours --region eu-west-1'
  )


def test_a_service_is_held_out_or_not(write_wheel):
  assert aws.held_out('cloud9')
  assert read(write_wheel, CREATE, service='cloud9') == []
  assert len(read(write_wheel, CREATE, service='cloud9', held_out=True)) == 2
  assert read(write_wheel, CREATE, held_out=True) == []


@pytest.mark.parametrize(
  ('text', 'reason'),
  [
    ('**To list**\n\nCommand::\n\n  aws s3 ls\n', Drop.SHORT_TEXT),
    ('**To say one thing now**\n\n::\n\n  aws sns "\n', Drop.UNREADABLE),
    (f'**To say one thing now**\n\n::\n\n  aws {"x" * 2000}\n', Drop.OVERLONG),
  ],
)
def test_bad_examples_are_dropped_with_the_reason(write_wheel, text, reason):
  assert read(write_wheel, text) == [reason]


@pytest.mark.parametrize(
  ('introduction', 'said'),
  [
    ('The following ``tag-it`` example adds a tag. ::', 'Adds a tag.'),
    ('The following ``tag-it`` code example adds a tag.', 'Adds a tag.'),
    ('The following ``tag-it`` adds a tag::', 'Adds a tag.'),
    ('The following **tag-it** command adds a tag.', 'Adds a tag.'),
    ('This command adds a tag.', 'Adds a tag.'),
    ('This example uses the ``tag-it`` command to add a tag.', 'Add a tag.'),
    ('The following example shows how to add a tag.', 'Add a tag.'),
    ('This command runs only in a Unix shell.', ''),
    ('You can add a tag.', ''),
    ('', ''),
  ],
)
def test_a_description_begins_with_its_verb(introduction, said):
  assert aws_commands.description(introduction, name='tag-it') == said


@pytest.mark.parametrize(
  ('heading', 'said'),
  [
    ('To delete a bucket', 'Delete a bucket.'),
    ('Example 2: To delete a bucket.', 'Delete a bucket.'),
    ('**Example** list all buckets:', 'List all buckets.'),
  ],
)
def test_a_heading_loses_its_number(heading, said):
  assert aws_commands.title(heading) == said


@pytest.mark.parametrize(
  ('lines', 'command'),
  [
    (['aws s3 ls', 'aws s3 rb'], 'aws s3 ls'),
    (['aws s3 ls \\', '    --human', 'x'], 'aws s3 ls --human'),
    (
      ["aws sns --body '{", '  "a": 1', "}'", 'x'],
      'aws sns --body \'{ "a": 1 }\'',
    ),
    (['aws s3 ls \\'], 'aws s3 ls'),
    (["aws sns --body '{"], ''),
  ],
)
def test_the_lines_of_a_command_are_joined(lines, command):
  assert aws_commands.joined(lines) == command
