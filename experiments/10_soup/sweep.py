"""Is a soup better than its ingredients?"""

from miniature import FINETUNE, Point, finetune

_INGREDIENTS = {
  'task diversity': finetune('task_diverse'),
  'language diversity': finetune('language_diverse'),
  'code': finetune('code'),
}
_MIXTURES = tuple(_INGREDIENTS.values())
POINTS = {
  **_INGREDIENTS,
  'all three in one run': FINETUNE,
  'uniform soup': Point(soup=_MIXTURES),
  'slerp': Point(soup=_MIXTURES, method='slerp'),
  'greedy soup': Point(soup=_MIXTURES, method='greedy'),
}
