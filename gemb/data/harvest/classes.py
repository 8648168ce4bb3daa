"""From labelled texts to the examples of a corpus: distinct, and bounded.

`gemb.data.labels` makes two examples of each; here are the rules for what is
kept, and the counts of what is not.
"""

import collections
import zlib
from collections.abc import Iterable

from gemb.data import labels
from gemb.data.cleaning import MAX_CHARACTERS, Drop, letters
from gemb.data.harvest.pairs import Harvest
from gemb.data.labels import Labelled


def harvest(rows: Iterable[Labelled | Drop], *, most: int) -> Harvest:
  """Drops unfit texts, duplicates and what is too much of one class.

  Args:
    rows: texts with their classes, and the reasons for those already dropped.
    most: texts of one class in one language, so that large classes do not
      crowd out small ones. Which are kept is a matter of their ids' checksums.
  """
  classes = collections.defaultdict(dict)
  dropped = collections.Counter()
  for row in rows:
    if isinstance(row, Drop):
      dropped[row] += 1
      continue
    found = classes[row.language, row.label]
    if reason := _reason(row):
      dropped[reason] += 1
    elif letters(row.text) in found:
      dropped[Drop.DUPLICATE] += 1
    else:
      found[letters(row.text)] = row
  kept = []
  for found in classes.values():
    order = sorted(found.values(), key=lambda row: zlib.crc32(row.id.encode()))
    kept += order[:most]
    dropped[Drop.SURPLUS] += len(order[most:])
  examples = list(labels.contrast(sorted(kept, key=lambda row: row.id)))
  return Harvest(examples=examples, dropped=dict(+dropped))


def _reason(row: Labelled) -> Drop | None:
  if len(row.text) > MAX_CHARACTERS:
    return Drop.OVERLONG
  return None if len(letters(row.text)) > 1 else Drop.NEAR_EMPTY
