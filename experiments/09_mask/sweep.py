"""Equation 3's mask, on data with few answers."""

from miniature import FINETUNE

_CLASSES = FINETUNE.but(
  "DataConfig.rates={'aws_operations': 1.0, 'conversation_topics': 1.0}",
  "DataConfig.name='classes'",
)
POINTS = {
  'masked': _CLASSES,
  'not masked': _CLASSES.but('LossConfig.mask_same_texts=False'),
}
