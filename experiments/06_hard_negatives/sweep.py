"""Which hard negatives?"""

from negatives import NONE, prepare, with_negatives

POINTS = {
  'none': NONE,
  'random': with_negatives('random/some_commands.mined.jsonl'),
  'mined: the nearest': with_negatives('nearest/some_commands.mined.jsonl'),
  'mined and scored: the last of 7': with_negatives(
    'nearest/some_commands.scored.jsonl'
  ),
}

__all__ = ['POINTS', 'prepare']
