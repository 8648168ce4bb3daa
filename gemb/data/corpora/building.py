"""What the builders of corpora share: features, metadata and rows.

Functions and not a base class, so that each builder says all it does.
"""

import dataclasses
import zlib
from collections.abc import Iterator

import tensorflow_datasets as tfds
import tqdm

from gemb.data.examples import Example
from gemb.data.harvest.pairs import Harvest

VERSION = tfds.core.Version('2.0.0')
RELEASE_NOTES = {
  '1.0.0': 'First version.',
  '2.0.0': 'Up to four negatives instead of one; labels.',
}


def info(
  builder: tfds.core.GeneratorBasedBuilder,
  *,
  kind: str,
  description: str,
  homepage: str,
  citation: str,
  licence: str,
) -> tfds.core.DatasetInfo:
  """Returns the DatasetInfo of a corpus; all corpora have the same features.

  Args:
    builder: the corpus.
    kind: of its pairs, such as 'sentence and translation'; corpora of one kind
      are called alike.
    description: what a query and its positive are.
    homepage: of the project that wrote the texts.
    citation: who wrote them, and where they were taken from.
    licence: SPDX identifier.
  """
  text = tfds.features.Text
  return tfds.core.DatasetInfo(
    builder=builder,
    description=description,
    features=tfds.features.FeaturesDict(
      {
        'id': text(doc='Unique and stable within the corpus.'),
        'query': text(),
        'positive': text(),
        'negatives': tfds.features.Sequence(
          text(), doc='Texts like the positive that do not answer the query.'
        ),
        'language': text(doc='BCP-47 tag of the query; python for code.'),
        'label': text(doc='Equal ones are never contrasted; may be empty.'),
      }
    ),
    homepage=homepage,
    citation=citation,
    license=licence,
    metadata=tfds.core.MetadataDict(kind=kind),
  )


def record_counts(
  builder: tfds.core.GeneratorBasedBuilder, harvest: Harvest
) -> None:
  """Notes in the builder's metadata what was kept and dropped, and a sample.

  The sample is one of the examples with negatives where there are any, and the
  same one as long as it is there: its id has the least checksum.
  """
  examples = harvest.examples
  hard = [example for example in examples if example.negatives]
  sample = min(
    hard or examples,
    key=lambda example: zlib.crc32(example.id.encode()),
    default=None,
  )
  builder.info.metadata.update(
    kept=len(examples),
    with_negatives=len(hard),
    dropped={reason.value: n for reason, n in sorted(harvest.dropped.items())},
    languages=len({example.language for example in examples}),
    sample=dataclasses.asdict(sample) if sample else {},
  )


def rows(
  examples: list[Example], *, corpus: str
) -> Iterator[tuple[str, dict[str, object]]]:
  """Yields the (key, features) rows that TFDS shuffles and writes.

  Args:
    examples: all of the split.
    corpus: its name, which the progress bar shows; there is none where standard
      error is no terminal.
  """
  bar = tqdm.tqdm(examples, desc=corpus, unit=' pairs', disable=None)
  for example in bar:
    yield (
      example.id,
      {
        'id': example.id,
        'query': example.query,
        'positive': example.positive,
        'negatives': list(example.negatives),
        'language': example.language,
        'label': example.label,
      },
    )
