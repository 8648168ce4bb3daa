"""Gettext catalogues: Django to train on; Wagtail and allauth held out."""

import tensorflow_datasets as tfds

from gemb.data import archives
from gemb.data.corpora import building
from gemb.data.harvest import catalogues, pairs


def _harvest(archive: archives.Archive) -> pairs.Harvest:
  wheel = archives.fetch(archive)
  return pairs.harvest(pairs.cleaned(catalogues.read(wheel)), one_sided=False)


def _description(project: str) -> str:
  return (
    f'Messages of {project} in their translations, with the English message. '
    'The negative is another English message of the same component.'
  )


class DjangoCatalogues(tfds.core.GeneratorBasedBuilder):
  """Translation (query) and English message (positive) of Django."""

  VERSION = building.VERSION
  RELEASE_NOTES = building.RELEASE_NOTES

  def _info(self) -> tfds.core.DatasetInfo:
    return building.info(
      self,
      description=_description('Django 5.2.19'),
      homepage='https://www.djangoproject.com',
      citation='Django Software Foundation and contributors, django 5.2.19.',
      licence='BSD-3-Clause',
    )

  def _split_generators(self, dl_manager):
    found = _harvest(archives.DJANGO)
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
      description=_description('Wagtail 8.0.1'),
      homepage='https://wagtail.org',
      citation='Torchbox and individual contributors, wagtail 8.0.1.',
      licence='BSD-3-Clause',
    )

  def _split_generators(self, dl_manager):
    found = _harvest(archives.WAGTAIL)
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
      description=_description('django-allauth 65.21.1'),
      homepage='https://allauth.org',
      citation='Raymond Penners and contributors, django-allauth 65.21.1.',
      licence='MIT',
    )

  def _split_generators(self, dl_manager):
    found = _harvest(archives.ALLAUTH)
    building.record_counts(self, found)
    return {'test': self._generate_examples(found.examples)}

  def _generate_examples(self, examples):
    yield from building.rows(examples, corpus=self.name)
