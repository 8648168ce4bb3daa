"""What does each of the report's finetuning mixtures give?"""

from miniature import FINETUNE, PREFINETUNE, finetune

POINTS = {
  'pre-finetuning only': PREFINETUNE,
  'task diversity': finetune('task_diverse'),
  'language diversity': finetune('language_diverse'),
  'code': finetune('code'),
  'all three': FINETUNE,
}
