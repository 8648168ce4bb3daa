"""What the builders of corpora share: features, metadata and rows.

Functions and not a base class, so that each builder says all it does.
"""

from collections.abc import Iterator

import tensorflow_datasets as tfds
import tqdm

from gemb.data.examples import Example
from gemb.data.harvest.pairs import Harvest

VERSION = tfds.core.Version('1.0.0')
RELEASE_NOTES = {'1.0.0': 'First version.'}


def info(
  builder: tfds.core.GeneratorBasedBuilder,
  *,
  description: str,
  homepage: str,
  citation: str,
  licence: str,
) -> tfds.core.DatasetInfo:
  """Returns the DatasetInfo of a corpus; all corpora have the same features.

  Args:
    builder: the corpus.
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
          text(), doc='Zero or one text of another key in the same component.'
        ),
        'language': text(doc='BCP-47 tag of the query; python for code.'),
      }
    ),
    homepage=homepage,
    citation=citation,
    license=licence,
    metadata=tfds.core.MetadataDict(),
  )


def record_counts(
  builder: tfds.core.GeneratorBasedBuilder, harvest: Harvest
) -> None:
  """Notes in the builder's metadata what was kept and dropped, and why."""
  builder.info.metadata.update(
    kept=len(harvest.examples),
    dropped={reason.value: n for reason, n in sorted(harvest.dropped.items())},
    languages=len({example.language for example in harvest.examples}),
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
      },
    )
