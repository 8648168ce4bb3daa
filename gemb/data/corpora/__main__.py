"""Prepares all corpora: python -m gemb.data.corpora [--write].

Prints the tables of what they hold, or writes them into gemb/data/README.md.
"""

import argparse
import logging
import sys
import time

from gemb.data import corpora
from gemb.data.corpora import tables


def main(arguments: list[str]) -> None:
  """Prepares each corpus, tells so on standard error, and gives the tables."""
  parser = argparse.ArgumentParser(prog='python -m gemb.data.corpora')
  parser.add_argument(
    '--write',
    action='store_true',
    help='replace the tables in gemb/data/README.md, and print nothing',
  )
  write = parser.parse_args(arguments).write
  infos = []
  for number, name in enumerate(corpora.CORPORA, start=1):
    start = time.monotonic()
    infos.append(corpora.prepare(name).info)
    print(
      f'{number}/{len(corpora.CORPORA)} {name}: '
      f'{infos[-1].metadata["kept"]:,} examples, '
      f'{time.monotonic() - start:.1f} s',
      file=sys.stderr,
    )
  if write:
    tables.write(tables.markdown(infos), tables.README)
  else:
    print(tables.markdown(infos))


if __name__ == '__main__':
  logging.basicConfig(format='%(message)s')
  logging.getLogger('gemb').setLevel(logging.INFO)  # downloads
  main(sys.argv[1:])
