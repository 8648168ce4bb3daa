"""Title and passage: AWS, Google and Django to train on; Sphinx held out."""

import tensorflow_datasets as tfds

from gemb.data import archives, pinned
from gemb.data.corpora import building
from gemb.data.harvest import api_methods, pairs, sections

_KIND = 'title and passage'


def _api_description(project: str) -> str:
  return (
    f'The name of a method of a web service and its documentation, of {project}'
    '. The negatives document other methods of the same service.'
  )


def _section_description(project: str) -> str:
  return (
    f'The title and the text of a section of the documentation of {project}. '
    'The negatives are other sections of the same document.'
  )


class BotocorePassages(tfds.core.GeneratorBasedBuilder):
  """Name (query) and documentation (positive) of the operations of AWS."""

  VERSION = building.VERSION
  RELEASE_NOTES = building.RELEASE_NOTES

  def _info(self) -> tfds.core.DatasetInfo:
    return building.info(
      self,
      kind=_KIND,
      description=_api_description('botocore 1.44.5'),
      homepage='https://github.com/boto/botocore',
      citation='Amazon Web Services, botocore 1.44.5.',
      licence='Apache-2.0',
    )

  def _split_generators(self, dl_manager):
    wheel = archives.fetch(pinned.BOTOCORE)
    found = pairs.harvest(api_methods.read_aws(wheel), one_sided=True)
    building.record_counts(self, found)
    return {'train': self._generate_examples(found.examples)}

  def _generate_examples(self, examples):
    yield from building.rows(examples, corpus=self.name)


class GoogleApiPassages(tfds.core.GeneratorBasedBuilder):
  """Name (query) and documentation (positive) of Google's API methods."""

  VERSION = building.VERSION
  RELEASE_NOTES = building.RELEASE_NOTES

  def _info(self) -> tfds.core.DatasetInfo:
    return building.info(
      self,
      kind=_KIND,
      description=_api_description('google-api-python-client 2.202.0'),
      homepage='https://github.com/googleapis/google-api-python-client',
      citation='Google LLC, google-api-python-client 2.202.0.',
      licence='Apache-2.0',
    )

  def _split_generators(self, dl_manager):
    wheel = archives.fetch(pinned.GOOGLE_API)
    found = pairs.harvest(api_methods.read_google(wheel), one_sided=True)
    building.record_counts(self, found)
    return {'train': self._generate_examples(found.examples)}

  def _generate_examples(self, examples):
    yield from building.rows(examples, corpus=self.name)


class DjangoDocumentation(tfds.core.GeneratorBasedBuilder):
  """Title (query) and text (positive) of sections about Django."""

  VERSION = building.VERSION
  RELEASE_NOTES = building.RELEASE_NOTES

  def _info(self) -> tfds.core.DatasetInfo:
    return building.info(
      self,
      kind=_KIND,
      description=_section_description('Django 5.2.19'),
      homepage='https://docs.djangoproject.com',
      citation='Django Software Foundation and contributors, django 5.2.19.',
      licence='BSD-3-Clause',
    )

  def _split_generators(self, dl_manager):
    sdist = archives.fetch(pinned.DJANGO_SOURCE)
    documents = sections.documents(sdist, folder='docs', suffix='.txt')
    found = pairs.harvest(sections.read(documents), one_sided=True)
    building.record_counts(self, found)
    return {'train': self._generate_examples(found.examples)}

  def _generate_examples(self, examples):
    yield from building.rows(examples, corpus=self.name)


class SphinxDocumentation(tfds.core.GeneratorBasedBuilder):
  """Title (query) and text (positive) of sections about Sphinx; held out."""

  VERSION = building.VERSION
  RELEASE_NOTES = building.RELEASE_NOTES

  def _info(self) -> tfds.core.DatasetInfo:
    return building.info(
      self,
      kind=_KIND,
      description=_section_description('Sphinx 9.0.4'),
      homepage='https://www.sphinx-doc.org',
      citation='The Sphinx developers, sphinx 9.0.4.',
      licence='BSD-2-Clause',
    )

  def _split_generators(self, dl_manager):
    sdist = archives.fetch(pinned.SPHINX_SOURCE)
    documents = sections.documents(sdist, folder='doc', suffix='.rst')
    found = pairs.harvest(sections.read(documents), one_sided=True)
    building.record_counts(self, found)
    return {'test': self._generate_examples(found.examples)}

  def _generate_examples(self, examples):
    yield from building.rows(examples, corpus=self.name)
