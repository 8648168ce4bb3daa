"""make_soup(soup, output): from checkpoints to a work folder of its own."""

import dataclasses
import json
import math
import os
import pathlib
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from gemb import files, provenance
from gemb.config_values import nearest
from gemb.data.tokenizer import Tokenizer
from gemb.evals import suite
from gemb.model.embedder import Params
from gemb.soup import average, report
from gemb.soup.config import Soup
from gemb.soup.greedy import Trial, greedy
from gemb.soup.ingredients import (
  Ingredient,
  find_ingredients,
  prompts_that_differ,
)
from gemb.soup.kitchen import Kitchen, LossBetween, open_kitchen
from gemb.soup.line import Line, measure_line, plot_line
from gemb.train.checkpoints import Checkpoints, differences
from gemb.workdir import Workdir

Scores = Mapping[str, float]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mixed:
  """A soup, and how it came to be.

  Attributes:
    params: of the soup.
    weights: of the ingredients, by name; they sum to 1.
    trials: of a greedy soup.
  """

  params: Params
  weights: dict[str, float]
  trials: Sequence[Trial] = ()


def make_soup(soup: Soup, output: str | os.PathLike) -> bool:
  """Averages checkpoints into a work folder, which appears whole or not at all.

  Args:
    soup: what is averaged, and how.
    output: the folder: as that of a run, with soup.json and soup.md, and with
      line.svg if there is a line.

  Returns:
    Whether it was made; False: it was there.

  Raises:
    FileExistsError: if something else is there.
    FileNotFoundError: if an ingredient or the held-out texts are not.
    ValueError: if the ingredients do not match each other, or the soup them.
  """
  # What can be wrong is found before parameters are read or anything written.
  output = pathlib.Path(output).absolute()
  ingredients = find_ingredients(soup.ingredients)
  recipe = _recipe(soup, ingredients)
  if output.exists():
    _check_same_recipe(output, recipe)
    return False
  metrics = _find_metrics(soup, ingredients[0])
  if tasks := prompts_that_differ(ingredients):
    print(f'The prompts of {tasks} differ; the soup has those of the first.')
  kitchen = open_kitchen(soup, ingredients[0])
  losses = _open_losses(soup, kitchen, ingredients)

  own = {i.name: _score(kitchen, i.name, kitchen.load(i)) for i in ingredients}
  mixed = mix(soup, ingredients, kitchen, own, metrics)
  scores = _score(kitchen, report.SOUP, mixed.params)
  line = _measure_line(soup, kitchen, ingredients, mixed, losses)
  content = {
    'recipe': recipe,
    'ingredients': [
      i.identity() | {'weight': mixed.weights[i.name], 'scores': own[i.name]}
      for i in ingredients
    ],
    'scores': scores,
    'trials': [dataclasses.asdict(trial) for trial in mixed.trials],
  }
  _write(output, ingredients, mixed, content, line)
  return True


def _recipe(soup: Soup, ingredients: Sequence[Ingredient]) -> dict[str, Any]:
  """Returns what decides the result, as JSON.

  Raises:
    ValueError: if there are more or fewer weights than ingredients.
  """
  if soup.weights and len(soup.weights) != len(ingredients):
    raise ValueError(
      f'Soup.weights has {len(soup.weights)} numbers for {len(ingredients)} '
      f'ingredients, {", ".join(i.name for i in ingredients)}; give each one.'
    )
  settings: dict[str, Any] = {**dataclasses.asdict(soup)}
  # Where it is computed does not matter.
  del settings['mesh'], settings['rules']
  settings['ingredients'] = [i.identity() for i in ingredients]
  return json.loads(json.dumps(settings))


def _check_same_recipe(output: pathlib.Path, recipe: dict[str, Any]) -> None:
  path = output / 'soup.json'
  if not path.is_file():
    raise FileExistsError(
      f'{output} is there already, and is no soup; choose another --output.'
    )
  was = json.loads(path.read_text(encoding='utf-8'))['recipe']
  if found := differences(was, recipe):
    raise FileExistsError(
      f'{output} holds a soup by another recipe: {"; ".join(found)}. Choose '
      'another --output, or move it away.'
    )


def _find_metrics(soup: Soup, first: Ingredient) -> list[str]:
  """Returns the scores whose mean a greedy soup is chosen by."""
  prefixes = first.run.loss.prefixes
  known = suite.score_names(first.run.evaluation, prefixes)
  for metric in soup.metrics:
    if metric not in known:
      raise ValueError(
        f'Soup.metrics names {metric!r}, which no evaluation of {first.name} '
        f'gives{nearest(metric, known)}'
      )
  if soup.method == 'greedy' and not known:
    raise ValueError(
      f"Soup.method is 'greedy', and the config of {first.name} names no "
      "held-out task to choose by; set the method to 'uniform'."
    )
  longest = [name for name in known if name.endswith(f'@{prefixes[-1]}')]
  return list(soup.metrics) or longest


def _open_losses(
  soup: Soup, kitchen: Kitchen, ingredients: Sequence[Ingredient]
) -> dict[str, LossBetween]:
  """Returns the loss on the data of each end; one if both have the same."""
  if not soup.line:
    return {}
  first, last = ingredients[0], ingredients[-1]
  ends = [first]
  if (last.run.data, last.run.loss) != (first.run.data, first.run.loss):
    ends.append(last)
  return {
    end.name.rpartition('@')[0]: kitchen.make_loss(end.run, soup.line_batches)
    for end in ends
  }


def _score(kitchen: Kitchen, name: str, params: Params) -> dict[str, float]:
  print(f'  {name}', flush=True)
  return kitchen.scores(params)


def mix(
  soup: Soup,
  ingredients: Sequence[Ingredient],
  kitchen: Kitchen,
  own: Mapping[str, Scores],
  metrics: Sequence[str],
) -> Mixed:
  """Averages by the soup's method.

  Args:
    soup: method and weights.
    ingredients: in the order of their weights.
    kitchen: loads and scores them.
    own: the scores of each alone, by name.
    metrics: whose mean a greedy soup is chosen by.
  """
  by_name = {ingredient.name: ingredient for ingredient in ingredients}
  if soup.method == 'greedy':
    mean = _mean_of(metrics)
    params, trials = greedy(
      {name: mean(scores) for name, scores in own.items()},
      load=lambda name: kitchen.load(by_name[name]),
      score=lambda params: mean(kitchen.scores(params)),
      blend=average.straight,
    )
    for t in trials:
      print(f'  {"with" if t.stays else "not"} {t.name}: {100 * t.score:.2f}')
    stay = [trial.name for trial in trials if trial.stays]
    weights = {name: (name in stay) / len(stay) for name in by_name}
    return Mixed(params=params, weights=weights, trials=trials)
  given = soup.weights or (1.0,) * len(ingredients)
  blend = average.straight
  if soup.method == 'slerp':
    blend = average.make_slerp(kitchen.embedder.logical_axes)
  return Mixed(
    params=average.fold(map(kitchen.load, ingredients), given, blend),
    weights={
      name: weight / sum(given)
      for name, weight in zip(by_name, given, strict=True)
    },
  )


def _mean_of(metrics: Sequence[str]):
  return lambda scores: statistics.fmean(scores[name] for name in metrics)


def _measure_line(
  soup: Soup,
  kitchen: Kitchen,
  ingredients: Sequence[Ingredient],
  mixed: Mixed,
  losses: Mapping[str, LossBetween],
) -> Line | None:
  if not losses:
    return None
  first, last = ingredients[0], ingredients[-1]
  share = mixed.weights[last.name]
  # Two ingredients' straight average; others lie beside the line.
  on_it = soup.method != 'slerp' and math.isclose(
    mixed.weights[first.name] + share, 1
  )
  return measure_line(
    {end.name: kitchen.load(end) for end in (first, last)},
    mixed.params,
    soup_share=share if on_it else None,
    points=soup.line,
    losses=losses,
  )


def _write(
  output: pathlib.Path,
  ingredients: Sequence[Ingredient],
  mixed: Mixed,
  content: dict[str, Any],
  line: Line | None,
) -> None:
  """Writes the work folder."""
  first = ingredients[0]
  made_by = provenance.about_run() | {'soup': content}
  of_model = {key: first.about[key] for key in ('config', 'model', 'data')}
  rows = [
    report.Row(name=i.name, weight=mixed.weights[i.name], scores=own['scores'])
    for i, own in zip(ingredients, content['ingredients'], strict=True)
  ]
  rows.append(
    report.Row(name=report.SOUP, weight=None, scores=content['scores'])
  )
  table = report.markdown_table(rows)
  with files.write_folder(output) as folder:
    workdir = Workdir(folder)
    workdir.write_run(first.config_text, made_by)
    workdir.write_tokenizer(Tokenizer(first.workdir.tokenizer))
    with Checkpoints(workdir.checkpoints, first.run.checkpoints) as checkpoints:
      checkpoints.save_params(
        max(i.step for i in ingredients),
        mixed.params,
        made_by | of_model,
        content['scores'],
      )
    if line:
      content = content | {'line': dataclasses.asdict(line)}
      files.write_file(folder / 'line.svg', plot_line(line).svg)
    files.write_file(folder / 'soup.json', json.dumps(content, indent=1))
    files.write_file(folder / 'soup.md', table)
