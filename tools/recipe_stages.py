"""The stages of the recipe: one `gemb` command each, in order.

Source: Gemini Embedding (arXiv:2503.07891), sections 3.3 and 4. What a stage
runs follows from the options alone; only the data of finetuning are told by a
gin file, which is written when its turn comes, since they are made on the way.
"""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

MIXTURES = ('task', 'language', 'code')
# The one of them that also trains on what a language model has written.
WRITTEN_FOR = 'task'
WEIGHTS = '00_weights'

_PREFINETUNE = 'configs/run/01_prefinetune.gin'
_EVALUATE = 'configs/run/04_evaluate.gin'
_SOUP = 'configs/run/03_soup.gin'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
  """What the chain depends on.

  Attributes:
    workdir: of everything that it makes.
    prefinetune: gin files of the first run.
    finetune: {mixture: gin files of its run}.
    curation: gin files of mining, scoring, filtering and writing.
    soup: gin files of the average.
    evaluate: gin files that are read after a run's own to judge it.
    language_model: whether one scores, filters and writes; else finetuning has
      the negatives as mined.
    writes: whether it writes examples, too.
    weights: of the language model, to be fetched first; None: there are some,
      or none are needed.
  """

  workdir: pathlib.Path
  prefinetune: tuple[str, ...]
  finetune: dict[str, tuple[str, ...]]
  curation: tuple[str, ...]
  soup: tuple[str, ...]
  evaluate: tuple[str, ...]
  language_model: bool = True
  writes: bool = True
  weights: str | None = None

  @property
  def curated(self) -> pathlib.Path:
    """The folder of the stages of curation."""
    return self.workdir / 'curation'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stage:
  """One command.

  Attributes:
    name: of the stage, and of the folder that it makes.
    words: what follows `gemb`.
    files: gin files that decide the result.
    root: of the tree that they describe.
    parts: of that tree that decide the result; empty: all.
    after: the stages whose results it takes.
    makes: patterns, in the work folder, of what it leaves; each matches
      something once it is done.
    leaves: patterns of all that has to go before it is done otherwise.
  """

  name: str
  words: tuple[str, ...]
  files: tuple[str, ...] = ()
  root: str = 'Run'
  parts: tuple[str, ...] = ()
  after: tuple[str, ...] = ()
  makes: tuple[str, ...] = ()
  leaves: tuple[str, ...] = ()

  @property
  def bindings(self) -> list[str]:
    """Those of its command."""
    words = [word for word in self.words if word.startswith('--gin.')]
    return [word.removeprefix('--gin.') for word in words]


def make_recipe(workdir: pathlib.Path, *, small: bool, **others: Any) -> Recipe:
  """Returns the recipe of `configs/run`, small or at its full size.

  Args:
    workdir: of everything.
    small: for two CPU cores.
    **others: fields of Recipe that take the place of those chosen here.
  """
  size = 'small' if small else 'full'
  behind = {
    stage: (f'configs/small/{stage}.gin',) if small else ()
    for stage in ('prefinetune', 'finetune')
  }
  chosen = {
    'prefinetune': (_PREFINETUNE, *behind['prefinetune']),
    'finetune': {
      mixture: (
        f'configs/run/02_finetune_{mixture}.gin',
        *behind['finetune'],
      )
      for mixture in MIXTURES
    },
    'curation': (f'configs/curation/{size}.gin',),
    'soup': (_SOUP,),
    'evaluate': (_EVALUATE,),
  }
  return Recipe(workdir=workdir, **(chosen | others))


def make_stages(recipe: Recipe) -> list[Stage]:
  """Returns the stages in order."""
  last = 'filter' if recipe.language_model else 'mine'
  finetuned = [f'02_finetune_{mixture}' for mixture in recipe.finetune]
  return [
    *_weights(recipe),
    Stage(
      name='00_data',
      words=('cache', *_gin(recipe.prefinetune)),
      files=recipe.prefinetune,
      parts=('data',),
    ),
    _train(recipe, '01_prefinetune', recipe.prefinetune),
    *_curation(recipe),
    *(
      _train(
        recipe,
        f'02_finetune_{mixture}',
        (*found, str(data_file(recipe, mixture))),
        after=('01_prefinetune', last, *_writer(recipe, mixture)),
      )
      for mixture, found in recipe.finetune.items()
    ),
    _soup(recipe, finetuned),
    *(
      _evaluate(recipe, name)
      for name in ('01_prefinetune', *finetuned, '03_soup')
    ),
  ]


def data_file(recipe: Recipe, mixture: str) -> pathlib.Path:
  """Returns the gin file that tells a mixture's run of its data."""
  return recipe.workdir / f'02_finetune_{mixture}.gin'


def _weights(recipe: Recipe) -> list[Stage]:
  if recipe.weights is None:
    return []
  words = ('weights', recipe.weights, '--accept_gemma_terms')
  return [Stage(name=WEIGHTS, words=words)]


def _train(
  recipe: Recipe,
  name: str,
  found: tuple[str, ...],
  after: tuple[str, ...] = (),
) -> Stage:
  return Stage(
    name=name,
    words=('train', *_gin(found), f'--workdir={recipe.workdir / name}'),
    files=found,
    after=after,
    makes=(f'{name}/checkpoints',),
    leaves=(name,),
  )


def _curation(recipe: Recipe) -> list[Stage]:
  """Returns mining, and what a language model does after it."""
  mine = _curate(
    recipe,
    'mine',
    parts=('tasks', 'mining'),
    after=('01_prefinetune',),
    makes=('*.mined.jsonl',),
    leaves=('*.passages.*',),
    options=(f'--workdir={recipe.workdir / "01_prefinetune"}',),
  )
  if not recipe.language_model:
    return [mine]
  stages = [
    mine,
    _curate(
      recipe,
      'score',
      parts=('tasks', 'scoring', 'language_model'),
      after=('mine',),
      makes=('*.scored.jsonl',),
    ),
    _curate(
      recipe,
      'filter',
      parts=('tasks', 'filtering', 'language_model'),
      after=('score',),
      makes=('*.filtered.jsonl', '*.dropped.jsonl', 'filter_report.html'),
      leaves=('*.judged.jsonl*',),
    ),
  ]
  if recipe.writes:
    stages.append(
      _curate(
        recipe,
        'synthesize',
        parts=('synthesis', 'language_model'),
        makes=('synthetic_*.jsonl',),
        leaves=('written_*.jsonl*', 'listed_*.jsonl*'),
      )
    )
  return stages


def _curate(
  recipe: Recipe,
  command: str,
  *,
  parts: tuple[str, ...],
  after: tuple[str, ...] = (),
  makes: tuple[str, ...],
  leaves: tuple[str, ...] = (),
  options: tuple[str, ...] = (),
) -> Stage:
  """Returns a stage in the folder of curation, which holds all patterns."""
  folder = recipe.curated.name
  unfinished = tuple(f'{pattern}.part' for pattern in makes)
  return Stage(
    name=command,
    words=(
      command,
      *_gin(recipe.curation),
      f'--folder={recipe.curated}',
      *options,
    ),
    files=recipe.curation,
    root='Curation',
    parts=parts,
    after=after,
    makes=tuple(f'{folder}/{pattern}' for pattern in makes),
    leaves=tuple(
      f'{folder}/{pattern}' for pattern in (*makes, *unfinished, *leaves)
    ),
  )


def _soup(recipe: Recipe, finetuned: Sequence[str]) -> Stage:
  ingredients = tuple(str(recipe.workdir / name) for name in finetuned)
  return Stage(
    name='03_soup',
    words=(
      'soup',
      *_gin(recipe.soup),
      f'--gin.Soup.ingredients={ingredients!r}',
      f'--output={recipe.workdir / "03_soup"}',
    ),
    files=recipe.soup,
    root='Soup',
    after=tuple(finetuned),
    makes=('03_soup/checkpoints',),
    leaves=('03_soup',),
  )


def _evaluate(recipe: Recipe, name: str) -> Stage:
  return Stage(
    name=f'04_evaluate_{name.partition("_")[2]}',
    words=(
      'evaluate',
      f'--workdir={recipe.workdir / name}',
      *_gin(recipe.evaluate),
    ),
    files=(*recipe.prefinetune, *recipe.evaluate),
    parts=('evaluation',),
    after=(name,),
    makes=(f'{name}/results.json',),
    leaves=(f'{name}/results.json',),
  )


def _writer(recipe: Recipe, mixture: str) -> tuple[str, ...]:
  """Returns the stage that writes examples for a mixture, if one does."""
  written = recipe.language_model and recipe.writes
  return ('synthesize',) if written and mixture == WRITTEN_FOR else ()


def _gin(found: Sequence[str]) -> list[str]:
  return [f'--gin_file={file}' for file in found]
