"""How much planted overlap is found; tools/bench_contamination starts it.

Evaluation texts are changed as they may be on their way into training data, and
looked up in all sets. The texts of each set and task are looked up in the other
sets too: where these are unrelated, what is near is a false alarm. The changes
are drawn from one seed: on the same files all figures but speed and memory are
the same on every machine.
"""

import argparse
import dataclasses
import functools
import os
import pathlib
import random
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator

from gemb.data import examples
from gemb.data.contamination.index import NEAR, Index, chunks_of
from gemb.data.contamination.scan import scan
from gemb.data.contamination.settings import OverlapConfig
from gemb.data.contamination.words import read_words
from gemb.data.examples import normalise
from gemb.evals.mteb.texts import read_texts

ROOT = pathlib.Path(__file__).parents[1]
DATA = ROOT / 'tests/golden/eval'
SETTINGS = OverlapConfig()

Row = tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Script:
  """Texts of scripts with spaces between words, or of scripts without.

  Attributes:
    name: says which.
    texts: the words of each; a character where no spaces stand between.
    others: the words of all texts, to put some in the place of others.
  """

  name: str
  texts: list[list[str]]
  others: list[str]


def main() -> None:
  """Measures, and prints a table of each kind of figures."""
  options = parse_arguments()
  os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
  try:
    sets = read_texts(options.data)
    index = Index(sets, SETTINGS)
    # Before texts are planted, which takes memory that no user needs.
    scanned = list(scan_tasks(options.texts, index))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    false = list(false_alarms(sets, options.texts))
  except (OSError, ValueError) as error:
    sys.exit(f'{error}')
  print_table(('planted', 'texts', 'found'), plant(sets, index, options.seed))
  head = ('texts of', 'looked up in', 'texts', 'taken for near ones')
  print_table(head, false)
  print_table(('task', 'examples', 'examples a second on one core'), scanned)
  print(f'memory at most: {memory:,.0f} MiB')


def parse_arguments() -> argparse.Namespace:
  """Reads the command line."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  add = parser.add_argument
  add(
    '--data',
    type=pathlib.Path,
    default=DATA,
    help='evaluation files; by default small ones of the tests, whose texts '
    'are too short for most rows',
  )
  add(
    '--texts',
    action='append',
    default=[],
    metavar='TASK',
    help='whose texts `gemb cache` has written; may be repeated',
  )
  add('--seed', type=int, default=0, help='of the changes; by default 0')
  return parser.parse_args()


def scan_tasks(tasks: Iterable[str], index: Index) -> Iterator[Row]:
  """Yields how fast each task is looked up in all sets, reading included."""
  for task in tasks:
    start = time.process_time()
    found = scan([task], index).tasks[task].examples
    speed = found / (time.process_time() - start)
    yield task, f'{found:,}', f'{speed:,.0f}'


def false_alarms(
  sets: dict[str, list[str]], tasks: Iterable[str]
) -> Iterator[Row]:
  """Yields how many texts of one source are near to a set of another.

  Texts of the same words, and those that have a whole text of the set within
  them, are no false alarms. Texts too short to be near any are not counted.
  """
  sources: dict[str, Callable[[], Iterable[str]]] = {
    **{name: lambda texts=texts: texts for name, texts in sets.items()},
    **{task: lambda task=task: task_texts(task) for task in tasks},
  }
  alone = {name: Index({name: texts}, SETTINGS) for name, texts in sets.items()}
  for source, read in sources.items():
    texts = long_enough(read())
    for name, index in alone.items():
      if texts and name != source:
        near = sum(kind == NEAR for kind in kinds(texts, index))
        count = f'{len(texts):,}'
        yield source, name, count, f'{near:,} ({near / len(texts):.3%})'


def task_texts(task: str) -> Iterator[str]:
  """Yields both sides of a task's examples."""
  for example in examples.read_texts(task):
    yield example.query
    yield example.positive


def plant(sets: dict[str, list[str]], index: Index, seed: int) -> Iterator[Row]:
  """Yields how many texts are found of those that were changed in each way."""
  texts = different(text for of_set in sets.values() for text in of_set)
  yield share_found('copies', texts, index)
  loud = [f'"{", ".join(text.upper().split())}!"' for text in texts]
  yield share_found('in upper case, with punctuation', loud, index)
  rng = random.Random(seed)
  for change, places in (
    ('the last fifth of the words replaced', last_fifth),
    ('every fifth word replaced', every_fifth),
  ):
    for script in scripts(long_enough(texts)):
      changed = [
        join(replace(words, places(len(words)), script.others, rng))
        for words in script.texts
      ]
      yield share_found(f'{change}, {script.name}', changed, index)


def last_fifth(count: int) -> range:
  """Returns places of words, of which there are `count`."""
  return range(count - count // 5, count)


def every_fifth(count: int) -> range:
  """Returns places of words, of which there are `count`."""
  return range(4, count, 5)


def replace(
  words: list[str], places: Iterable[int], others: list[str], rng: random.Random
) -> list[str]:
  """Returns the words with one of the others, never the same, at the places."""
  changed = list(words)
  for place in places:
    while changed[place] == words[place]:
      changed[place] = rng.choice(others)
  return changed


def scripts(texts: list[str]) -> Iterator[Script]:
  """Yields the texts by how they are written, with and without spaces.

  A text is without spaces where it has any character that is a word of its
  own; words of other scripts within it, such as names, remain whole.
  """
  split = [split_words(text) for text in texts]
  for name, without in (('with spaces', False), ('without spaces', True)):
    chosen = [w for w in split if any(map(is_alone, w)) == without]
    others = [word for words in chosen for word in words]
    # Nothing can replace a word where there is no other.
    if len(set(others)) > 1:
      yield Script(name=name, texts=chosen, others=others)


def split_words(text: str) -> list[str]:
  """Returns the words of a text as gemb compares them."""
  spaced = (f' {c} ' if is_alone(c) else c for c in normalise(text))
  return ''.join(spaced).split()


def join(words: Iterable[str]) -> str:
  """Returns a text of these words, with spaces only where its scripts do."""
  return ''.join(w if is_alone(w) else f' {w} ' for w in words)


def is_alone(word: str) -> bool:
  """Tells whether a word is a character of a script without spaces."""
  return len(word) == 1 and _is_half_a_word(word)


@functools.cache
def _is_half_a_word(character: str) -> bool:
  return read_words([character]).lengths[0] == 0.5


def different(texts: Iterable[str]) -> list[str]:
  """Returns the first text of each of the same words; no text without any."""
  first: dict[str, str] = {}
  for text in texts:
    first.setdefault(normalise(text), text)
  first.pop('', None)
  return list(first.values())


def long_enough(texts: Iterable[str]) -> list[str]:
  """Returns the different texts that are long enough to be near another."""
  long = []
  for chunk in chunks_of(different(texts), len):
    lengths = read_words([normalise(text) for text in chunk]).lengths
    fits = lengths >= SETTINGS.fewest_words
    long += [text for text, fit in zip(chunk, fits, strict=True) if fit]
  return long


def share_found(name: str, texts: list[str], index: Index) -> Row:
  """Returns how many of the texts are found in an index, whatever the kind."""
  found = len(texts) - kinds(texts, index).count(None)
  # Rounded down: 100.00% is all of them. No set is without texts.
  return name, f'{len(texts):,}', f'{10_000 * found // len(texts) / 100:.2f}%'


def kinds(texts: Iterable[str], index: Index) -> list[str | None]:
  """Returns for each text of which kind its match is, if it has one."""
  matches = (m for chunk in chunks_of(texts, len) for m in index.find(chunk))
  return [match and match.kind for match in matches]


def print_table(head: Row, rows: Iterable[Row]) -> None:
  """Prints a Markdown table, unless it has no rows."""
  if rows := list(rows):
    for row in (head, ('---',) * len(head), *rows):
      print(f'| {" | ".join(row)} |')
    print(flush=True)


if __name__ == '__main__':
  main()
