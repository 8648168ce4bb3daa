"""What finetuning is told of what the recipe has made: a gin file a mixture."""

import pathlib
from collections.abc import Sequence

from recipe_stages import WRITTEN_FOR, Recipe, data_file

from gemb import files
from gemb.curation import journal
from gemb.curation.candidates import stage_path
from gemb.curation.config import Curation, SynthesisConfig
from gemb.data.config import DataConfig

# Written examples have this share of the batches of the corpora; a file with
# fewer of them than FEWEST would only be learnt by heart, and is left out.
SHARE = 0.05
FEWEST = 12


def write_data(
  recipe: Recipe, mixture: str, data: DataConfig, curation: Curation
) -> None:
  """Writes the gin file that tells a mixture's run of what was made for it.

  Args:
    recipe: of the chain.
    mixture: a key of `recipe.finetune`.
    data: of its run, as the other gin files describe it.
    curation: as `recipe.curation` describes it.

  Raises:
    OSError: if a file of curation is missing, or nothing can be written.
  """
  kind = 'filtered' if recipe.language_model else 'mined'
  tasks = [task for task in curation.tasks if task in data.rates]
  values = {
    'workdir.ParentConfig.workdir': str(recipe.workdir / '01_prefinetune'),
    'config.DataConfig.mined_negatives': _files(recipe, tasks, kind),
  }
  written: list[pathlib.Path] = []
  if recipe.language_model:
    values['config.DataConfig.filtered'] = _files(recipe, tasks, 'dropped')
    if mixture == WRITTEN_FOR:
      written = _written(recipe, curation.synthesis)
  lines = [f'{name} = {value!r}' for name, value in values.items()]
  if written:
    lines += _sources(written, data)
  files.write_file(
    data_file(recipe, mixture),
    '# What the recipe has made for this run; tools/recipe writes it.\n'
    'from __gin__ import dynamic_registration\n'
    'from gemb import run\n'
    'from gemb import workdir\n'
    'from gemb.data import config\n'
    'from gemb.data import sources\n\n'
    'run.Run.parent = @workdir.ParentConfig()\n' + '\n'.join(lines) + '\n',
  )


def _files(recipe: Recipe, tasks: Sequence[str], kind: str) -> dict[str, str]:
  return {task: str(stage_path(recipe.curated, task, kind)) for task in tasks}


def _written(recipe: Recipe, synthesis: SynthesisConfig) -> list[pathlib.Path]:
  """Returns the files of written examples that hold enough of them."""
  paths = [
    recipe.curated / f'synthetic_{name}.jsonl'
    for name in (*synthesis.queries, *synthesis.classes)
  ]
  return [
    path for path in paths if sum(1 for _ in journal.read_rows(path)) >= FEWEST
  ]


def _sources(written: Sequence[pathlib.Path], data: DataConfig) -> list[str]:
  """Returns the lines of gin that make tasks of files of written examples."""
  rate = SHARE * sum(data.rates.values()) / len(written)
  names = [path.stem for path in written]
  blocks = ', '.join(f'@{name}/sources.SourceConfig()' for name in names)
  lines = [
    f'config.DataConfig.sources = ({blocks},)',
    f'config.DataConfig.rates = {data.rates | dict.fromkeys(names, rate)!r}',
  ]
  for name, path in zip(names, written, strict=True):
    values = {'task': name, 'path': str(path), 'id': 'id'}
    values['language'] = 'language'
    if 'label' in next(journal.read_rows(path)):
      values['label'] = 'label'
    else:
      values['prompt'] = data.task_string(name.removeprefix('synthetic_'))
    lines += [
      f'{name}/sources.SourceConfig.{field} = {value!r}'
      for field, value in values.items()
    ]
  return lines
