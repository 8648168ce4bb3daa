"""The mean over tokens, or the vector of one?"""

from miniature import SHORT

POINTS = {
  'mean': SHORT,
  'first token': SHORT.but("EmbedderConfig.pooling='first'"),
  'last token': SHORT.but("EmbedderConfig.pooling='last'"),
}
