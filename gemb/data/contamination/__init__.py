"""Training examples that evaluation sets have too: found, told, dropped.

`words` makes numbers of texts, `whole` and `near` compare them, `index` holds
the evaluation sets, `scan` looks whole tasks up in it, and `report` is what
remains: one JSON file.
"""

from gemb.data.contamination.report import (
  load_contaminated as load_contaminated,
)
