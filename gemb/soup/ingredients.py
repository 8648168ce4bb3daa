"""The checkpoints that a soup is made of, found and compared."""

import dataclasses
import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

from gemb import config
from gemb.run import Run
from gemb.train.checkpoints import Checkpoints, differences
from gemb.workdir import Workdir, find_workdir


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ingredient:
  """A checkpoint, without its parameters.

  Attributes:
    name: 'WORKDIR@STEP', with the folder as it was given.
    workdir: of its run.
    step: of the checkpoint.
    run: that it is of.
    config_text: of that run.
    about: what was saved with the checkpoint.
  """

  name: str
  workdir: Workdir
  step: int
  run: Run
  config_text: str
  about: dict[str, Any]

  def identity(self) -> dict[str, Any]:
    """Returns what tells it from others, as JSON; of a soup, its recipe too."""
    folder, _, step = self.name.rpartition('@')
    text = self.config_text.encode()
    of_soup = {'soup': self.about['soup']} if 'soup' in self.about else {}
    return {
      'workdir': folder,
      'step': int(step),
      'config': hashlib.blake2b(text, digest_size=8).hexdigest(),
    } | of_soup


def find_ingredients(names: Sequence[str]) -> list[Ingredient]:
  """Returns the checkpoints that were named, in their order.

  Args:
    names: 'WORKDIR', 'WORKDIR@STEP' or 'WORKDIR@all' each.

  Raises:
    FileNotFoundError: if a folder holds no run.
    ValueError: if there are fewer than two, there is no such checkpoint, one is
      named twice, or two are of different models.
  """
  found = [ingredient for name in names for ingredient in _find(name)]
  if len(found) < 2:
    raise ValueError(
      f'Soup.ingredients names one checkpoint, {found[0].name}; a soup takes '
      "at least two. Name another run or step, or a run's checkpoints as "
      "'WORKDIR@all'."
    )
  places: dict[tuple[str, int], str] = {}
  for ingredient in found:
    place = (str(ingredient.workdir.root.resolve()), ingredient.step)
    if place in places:
      raise ValueError(
        f'Soup.ingredients names one checkpoint twice: {places[place]} and '
        f'{ingredient.name}; remove one of them, or give it a greater weight.'
      )
    places[place] = ingredient.name
    _check_same_model(found[0], ingredient)
  return found


def prompts_that_differ(ingredients: Sequence[Ingredient]) -> list[str]:
  """Returns the tasks whose prompts differ between two ingredients."""
  seen: dict[str, set[str]] = {}
  for ingredient in ingredients:
    for task, prompt in ingredient.run.data.prompts.items():
      seen.setdefault(task, set()).add(repr(prompt))
  return sorted(task for task, prompts in seen.items() if len(prompts) > 1)


def _find(name: str) -> Iterator[Ingredient]:
  folder, asked = _parse(name)
  workdir = find_workdir(folder)
  run, text = config.load([str(workdir.config)])
  with Checkpoints(workdir.checkpoints, run.checkpoints) as checkpoints:
    steps = checkpoints.steps()
    if not steps:
      raise ValueError(
        f'{workdir.root} has no checkpoint yet; run `gemb train` first, or '
        'leave it out of Soup.ingredients.'
      )
    steps = steps if asked == 'all' else [int(asked or steps[-1])]
    for step in steps:
      yield Ingredient(
        name=f'{folder}@{step}',
        workdir=workdir,
        step=step,
        run=run,
        config_text=text,
        about=checkpoints.about(step),
      )


def _parse(name: str) -> tuple[str, str | None]:
  """Splits 'WORKDIR@STEP'; other folders may have an @ in their name."""
  parts = re.fullmatch(r'(.+)@(\d+|all)', name)
  return (parts[1], parts[2]) if parts else (name, None)


def _check_same_model(first: Ingredient, other: Ingredient) -> None:
  for what, of in (('architectures', _model), ('tokenizers', _tokenizer)):
    if found := differences(of(first), of(other)):
      raise ValueError(
        f'{first.name} and {other.name} have different {what}: '
        f'{"; ".join(found)}. Only checkpoints of one model can be averaged; '
        'leave one of them out of Soup.ingredients.'
      )


def _model(ingredient: Ingredient) -> dict[str, Any]:
  return ingredient.about['model']


def _tokenizer(ingredient: Ingredient) -> dict[str, str]:
  return {'sha256': ingredient.about['data']['tokenizer']}
