"""Batches of one task, or of all?"""

from miniature import FINETUNE

POINTS = {
  'one task a batch': FINETUNE,
  'mixed': FINETUNE.but('DataConfig.mixed=True'),
}
