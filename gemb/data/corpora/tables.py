"""What the corpora hold, as Markdown: the tables of gemb/data/README.md."""

import pathlib
import re
from collections.abc import Iterable, Sequence

import tensorflow_datasets as tfds

from gemb import files
from gemb.data.cleaning import Drop

README = pathlib.Path(__file__).parents[1] / 'README.md'
BEGIN = '<!-- python -m gemb.data.corpora --write begins here -->'
END = '<!-- python -m gemb.data.corpora --write ends here -->'
_SAMPLE = 100  # characters
_MARKS = re.compile(r'([\\`*_\[\]<>|~$])')


def markdown(infos: Sequence[tfds.core.DatasetInfo]) -> str:
  """Returns three tables: what is kept, what is dropped, and samples.

  Args:
    infos: of prepared corpora, in the order of the rows.
  """
  return '\n\n'.join([_kept(infos), _dropped(infos), _samples(infos)])


def overview(infos: Sequence[tfds.core.DatasetInfo]) -> str:
  """Returns a table of all corpora, those that are not prepared among them."""
  return _kept(infos)


def write(tables: str, path: pathlib.Path) -> None:
  """Puts the tables between the two marks of a file.

  Raises:
    ValueError: the file has not both marks, in this order.
  """
  text = path.read_text(encoding='utf-8')
  before, begin, rest = text.partition(BEGIN)
  _, end, after = rest.partition(END)
  if not begin or not end:
    raise ValueError(
      f'{path} has no place for the tables; put the lines {BEGIN!r} and '
      f'{END!r} where they belong.'
    )
  files.write_file(path, f'{before}{begin}\n\n{tables}\n\n{end}{after}')


def _kept(infos: Sequence[tfds.core.DatasetInfo]) -> str:
  head = ['corpus', 'kind', 'licence', 'split', 'languages', 'examples']
  rows = []
  for info in infos:
    licence = info.redistribution_info.license
    first = [info.name, info.metadata['kind'], licence]
    rows.append([*first, *(_counts(info) or ['not made yet', *['–'] * 4])])
  return _table([*head, 'with hard negatives', 'dropped'], rows, texts=4)


def _counts(info: tfds.core.DatasetInfo) -> list[str]:
  """Returns split and numbers of a corpus; nothing if it is not prepared."""
  counts = info.metadata
  if not info.splits:
    return []
  share = counts['with_negatives'] / max(counts['kept'], 1)
  return [
    'train' if 'train' in info.splits else 'held out',
    *(f'{counts["languages"]:,}', f'{counts["kept"]:,}', f'{share:.1%}'),
    f'{sum(counts["dropped"].values()):,}',
  ]


def _dropped(infos: Sequence[tfds.core.DatasetInfo]) -> str:
  drops = {info.name: info.metadata['dropped'] for info in infos}
  occurring = set().union(*drops.values())
  reasons = [reason.value for reason in Drop if reason.value in occurring]
  rows = [
    [
      name,
      *(f'{n:,}' if (n := found.get(reason)) else '' for reason in reasons),
    ]
    for name, found in drops.items()
  ]
  return _table(['corpus', *reasons], rows, texts=1)


def _samples(infos: Sequence[tfds.core.DatasetInfo]) -> str:
  rows = []
  for info in infos:
    if sample := info.metadata['sample']:
      negative = next(iter(sample['negatives']), '')
      texts = sample['query'], sample['positive'], negative
      rows.append([info.name, *map(_short, texts)])
  head = ['corpus', 'query', 'positive', 'first hard negative']
  return _table(head, rows, texts=4)


def _short(text: str) -> str:
  r"""Returns the beginning of a text, as Markdown shows it on one line.

  >>> _short('a*b')
  'a\\*b'
  """
  text = ' '.join(text.split())
  if len(text) > _SAMPLE:
    text = f'{text[: _SAMPLE - 1].rstrip()}…'
  return _MARKS.sub(r'\\\1', text)


def _table(
  head: Sequence[str], rows: Iterable[Sequence[str]], *, texts: int
) -> str:
  """Returns a table; columns after the first `texts` hold numbers."""
  rule = ['---'] * texts + ['---:'] * (len(head) - texts)
  return '\n'.join(f'| {" | ".join(row)} |' for row in (head, rule, *rows))
