"""The operations of AWS, as botocore's service models document them.

`botocore/data/SERVICE/VERSION/service-2.json.gz` describes one version of one
service; the newest is read.
"""

import dataclasses
import gzip
import json
import pathlib
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator

from gemb.data.cleaning import Drop
from gemb.data.harvest import markup
from gemb.data.labels import Labelled

MIN_WORDS = 4

_FILE = re.compile(
  r'botocore/data/(?P<service>[^/]+)/(?P<version>[^/]+)/'
  r'service-2\.json(?P<gz>\.gz)?'
)
# 'elb' of 'elbv2', 'bedrock' of 'bedrock-agent-runtime'
_FAMILY = re.compile(r'.+?(?=-|v\d|$)')
_OTHER_NAMES = {'sms-voice': 'pinpoint-sms-voice'}
_NOTES = re.compile(r'<(note|important)>.*?</\1>', re.DOTALL)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
  """One thing that a service can be asked to do.

  Attributes:
    service: botocore's name of it, such as 's3'.
    service_name: in full, such as 'Amazon Simple Storage Service'.
    name: such as 'CreateBucket'.
    documentation: HTML; may be empty.
  """

  service: str
  service_name: str
  name: str
  documentation: str


def operations(wheel: pathlib.Path) -> Iterator[Operation]:
  """Yields the operations of every service, in alphabetical order.

  Args:
    wheel: the archive of botocore.
  """
  with zipfile.ZipFile(wheel) as archive:
    newest = {}
    for name in sorted(archive.namelist()):
      if match := _FILE.fullmatch(name):
        newest[match['service']] = match
    for service, match in newest.items():
      content = archive.read(match.string)
      model = json.loads(gzip.decompress(content) if match['gz'] else content)
      for name, operation in sorted(model['operations'].items()):
        yield Operation(
          service=service,
          service_name=model['metadata']['serviceFullName'],
          name=name,
          documentation=operation.get('documentation', ''),
        )


def held_out(service: str) -> bool:
  """Says whether nothing of a service is ever trained on: of one in ten.

  By a checksum of its name, so that the service is held out of every corpus
  that is made of AWS, and stays so when services are added. The versions and
  parts of a service, whose operations are described alike, go together.

  >>> held_out('sqs'), held_out('mediapackage'), held_out('mediapackagev2')
  (False, True, True)
  """
  family = _FAMILY.findall(_OTHER_NAMES.get(service, service))[0]
  return zlib.crc32(family.encode()) % 10 == 0


def services(operations: Iterable[Operation]) -> Iterator[Labelled | Drop]:
  """Yields what each operation does, with the service that does it.

  The text is the first paragraph of the documentation.
  """
  for operation in operations:
    text = first_paragraph(operation.documentation)
    if len(text.split()) < MIN_WORDS:
      yield Drop.SHORT_TEXT
      continue
    yield Labelled(
      id=f'{operation.service}:{operation.name}',
      language='en',
      text=text,
      label=operation.service_name,
    )


def first_paragraph(documentation: str) -> str:
  """Returns the first paragraph in plain text; notes before it are left out.

  >>> first_paragraph('<note><p>Old.</p></note> <p>Creates a <b>key</b>.</p>')
  'Creates a key.'
  """
  text = markup.plain_html(_NOTES.sub('', documentation))
  return text.partition('\n')[0]
