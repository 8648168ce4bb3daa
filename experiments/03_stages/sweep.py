"""Is each stage of training worth its place?"""

from miniature import FINETUNE, PREFINETUNE

POINTS = {
  'no training': PREFINETUNE.but(untrained=True),
  'pre-finetuning only': PREFINETUNE,
  'finetuning only': FINETUNE.but(parent=None),
  'both': FINETUNE,
}
