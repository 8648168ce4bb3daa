"""Does an embedder need attention in both directions?"""

from miniature import SHORT

_CAUSAL = SHORT.but('EmbedderConfig.causal=True')
POINTS = {
  'bidirectional, mean': SHORT,
  'causal, mean': _CAUSAL,
  'causal, last token': _CAUSAL.but("EmbedderConfig.pooling='last'"),
}
