"""What a corpus is, and the one TFDS builder that makes all of them."""

import dataclasses
import zlib
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Literal

import tensorflow_datasets as tfds
import tqdm

from gemb.data.examples import Example
from gemb.data.harvest.pairs import Harvest


@dataclasses.dataclass(frozen=True, kw_only=True)
class Corpus:
  """A row of the tables that the modules of this package hold.

  Attributes:
    name: of the TFDS dataset, and of its folder.
    kind: of its pairs, such as 'sentence and translation'; corpora of one kind
      are called alike.
    split: 'train', or 'test' if it is held out: never trained on.
    description: what a query and its positive are.
    homepage: of the project that wrote the texts.
    citation: who wrote them, and where they were taken from.
    licence: SPDX identifier.
    harvest: fetches the texts and makes the examples; a function of the
      corpus's own module, whose name TFDS writes beside the data.
    config: names the versions of what is read where that is installed, and not
      pinned; a copy made from other versions is never mistaken for this one.
  """

  name: str
  kind: str
  split: Literal['train', 'test']
  description: str
  homepage: str
  citation: str
  licence: str
  harvest: Callable[[], Harvest]
  config: tfds.core.BuilderConfig | None = None


class CorpusBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
  """Makes a corpus; `builder` has a class of this kind for each."""

  VERSION = tfds.core.Version('2.0.0')
  RELEASE_NOTES: ClassVar[dict[str, str]] = {
    '1.0.0': 'First version.',
    '2.0.0': 'Up to four negatives instead of one; labels.',
  }
  CORPUS: ClassVar[Corpus]

  def _info(self) -> tfds.core.DatasetInfo:
    return tfds.core.DatasetInfo(
      builder=self,
      description=self.CORPUS.description,
      features=_features(),
      homepage=self.CORPUS.homepage,
      citation=self.CORPUS.citation,
      license=self.CORPUS.licence,
      metadata=tfds.core.MetadataDict(kind=self.CORPUS.kind),
    )

  def _split_generators(self, dl_manager):
    harvest = self.CORPUS.harvest()
    self.info.metadata.update(_counts(harvest))
    return {self.CORPUS.split: self._generate_examples(harvest.examples)}

  def _generate_examples(
    self, examples: list[Example]
  ) -> Iterator[tuple[str, dict[str, Any]]]:
    # No bar is shown where standard error is no terminal.
    for example in tqdm.tqdm(
      examples, desc=self.name, unit=' pairs', disable=None
    ):
      yield example.id, dataclasses.asdict(example)


def builder(corpus: Corpus) -> type[CorpusBuilder]:
  """Returns the TFDS builder of a corpus, and registers it under its name.

  Raises:
    ValueError: TFDS has a dataset of this name already.
  """
  return type(
    corpus.name,
    (CorpusBuilder,),
    {
      'name': corpus.name,
      'CORPUS': corpus,
      'BUILDER_CONFIGS': [corpus.config] if corpus.config else [],
      '__doc__': corpus.description,
      '__module__': corpus.harvest.__module__,
    },
  )


def _features() -> tfds.features.FeaturesDict:
  """Returns the features of an `Example`, which all corpora have."""
  text = tfds.features.Text
  return tfds.features.FeaturesDict(
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
  )


def _counts(harvest: Harvest) -> dict[str, Any]:
  """Returns what was kept and dropped, and a sample.

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
  return {
    'kept': len(examples),
    'with_negatives': len(hard),
    'dropped': {
      reason.value: n for reason, n in sorted(harvest.dropped.items())
    },
    'languages': len({example.language for example in examples}),
    'sample': dataclasses.asdict(sample) if sample else {},
  }
