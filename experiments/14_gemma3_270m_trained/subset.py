"""Writes a part of four public sets, which two cores embed in minutes.

    python experiments/14_gemma3_270m_trained/subset.py DIR OUT

DIR holds Banking77, CosQA, the STS benchmark and Tatoeba as `gemb evaluate
--data` takes them. Of each the first so many rows are kept.
"""

import csv
import gzip
import io
import json
import pathlib
import sys
from collections.abc import Callable, Iterable

Row = dict[str, str]


def main(folder: pathlib.Path, out: pathlib.Path) -> None:
  """Writes the parts."""
  out.mkdir(parents=True, exist_ok=True)
  for name, most in (('banking77_train', 4), ('banking77_test', 2)):
    rows = first(read(folder, f'{name}.csv.gz'), most, lambda r: r['category'])
    with (out / f'{name}.csv').open('w', newline='') as file:
      writer = csv.DictWriter(file, rows[0].keys())
      writer.writeheader()
      writer.writerows(rows)
  rows = [r for r in read(folder, 'stsb.jsonl.gz') if r['split'] == 'dev']
  write(out / 'stsb.jsonl', first(rows, 60, lambda r: r['language']))
  rows = read(folder, 'tatoeba.jsonl.gz')
  write(out / 'tatoeba.jsonl', first(rows, 40, lambda r: r['language']))
  queries = read(folder, 'cosqa_dev.jsonl.gz')[:100]
  wanted = {
    value for row in queries for key, value in row.items() if 'id' in key
  }
  functions = read(folder, 'cosqa_corpus.jsonl.gz')
  mine = [r for r in functions if wanted & set(r.values())]
  others = [r for r in functions if not wanted & set(r.values())]
  write(out / 'cosqa_dev.jsonl', queries)
  write(out / 'cosqa_corpus.jsonl', mine + others[:200])


def read(folder: pathlib.Path, name: str) -> list[Row]:
  """Returns the rows of a compressed file."""
  text = gzip.decompress((folder / name).read_bytes()).decode()
  if '.csv' in name:
    return list(csv.DictReader(io.StringIO(text)))
  return [json.loads(line) for line in text.splitlines()]


def first(
  rows: Iterable[Row], most: int, group: Callable[[Row], str]
) -> list[Row]:
  """Returns the first so many rows of each group."""
  kept, counts = [], {}
  for row in rows:
    counts[group(row)] = counts.get(group(row), 0) + 1
    if counts[group(row)] <= most:
      kept.append(row)
  return kept


def write(path: pathlib.Path, rows: Iterable[Row]) -> None:
  """Writes rows as JSON lines."""
  lines = (json.dumps(row, ensure_ascii=False) + '\n' for row in rows)
  path.write_text(''.join(lines), encoding='utf-8')


if __name__ == '__main__':
  main(*map(pathlib.Path, sys.argv[1:]))
