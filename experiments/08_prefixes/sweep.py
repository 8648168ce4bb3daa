"""Prefixes that were trained (MRL), or cut off a vector trained as a whole?"""

from miniature import SHORT

POINTS = {
  'all prefixes trained': SHORT,
  'the whole alone': SHORT.but('LossConfig.weights=(0.0, 0.0, 3.0)'),
}
PREFIXES = (64, 128, 256)
