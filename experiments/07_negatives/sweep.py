"""How many hard negatives?"""

from negatives import NONE, prepare, with_negatives

_NEAREST = 'nearest/some_commands.mined.jsonl'
POINTS = {
  '0': NONE,
  **{str(n): with_negatives(_NEAREST, n) for n in (1, 2, 7)},
}

__all__ = ['POINTS', 'prepare']
