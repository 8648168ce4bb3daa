"""Texts of known classes: counterfactual, sentiment and review.

Source: Gemini Embedding (arXiv:2503.07891), section 4.2. Staged: a list of
persons; for each, a list of products or movies; then a text of one person about
one of these, with the label in its prompt. Both lists are sampled from their
tails.
"""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

from gemb.curation import prompts
from gemb.curation.config import SynthesisConfig
from gemb.curation.language_model import LanguageModel
from gemb.curation.synthesis import lists
from gemb.curation.synthesis.writing import Kind, Row, write
from gemb.data.records import text_id

_LONGEST = 400  # characters of a text
_MAX_TOKENS = 128


@dataclasses.dataclass(frozen=True, kw_only=True)
class Classes:
  """A kind of classification data; its prompts are NAME_v1, NAME_rating_v1.

  Attributes:
    things: what the texts are about: 'products' or 'movies'.
    labels: {label: the word that stands for it in the prompts}.
  """

  things: str
  labels: Mapping[str, str]


CLASSES = {
  'counterfactual': Classes(
    things='products',
    labels={'counterfactual': 'yes', 'factual': 'no'},
  ),
  'sentiment': Classes(
    things='movies',
    labels={name: name for name in ('positive', 'neutral', 'negative')},
  ),
  'review': Classes(
    things='products',
    labels={
      '1 star': 'terrible',
      '2 stars': 'poor',
      '3 stars': 'mixed',
      '4 stars': 'good',
      '5 stars': 'excellent',
    },
  ),
}


def write_texts(
  config: SynthesisConfig, model: LanguageModel, name: str, folder: pathlib.Path
) -> None:
  """Writes texts of a key of CLASSES, and the lists that they are made from.

  Raises:
    OSError: if the folder cannot be written.
    ValueError: if it holds other work, or the model wrote no list.
  """
  classes = CLASSES[name]
  steps = ['persons_v1', f'{classes.things}_v1', f'{name}_v1']
  steps.append(f'{name}_rating_v1')
  scenes = draw_scenes(config, model, name, folder)
  write(
    _kind(name, config.min_label),
    [
      _draft(number, name, scene, config.seed, model, steps)
      for number, scene in enumerate(scenes)
    ],
    model=model,
    temperature=config.temperature,
    folder=folder,
    about={
      'kind': 'synthetic',
      'of': name,
      'prompts': steps,
      'model': model.identity,
      'most': config.most,
      'items': config.items,
      'tail': config.tail,
      'seed': config.seed,
      'temperature': config.temperature,
      'min_label': config.min_label,
    },
  )


def draw_scenes(
  config: SynthesisConfig, model: LanguageModel, name: str, folder: pathlib.Path
) -> list[Row]:
  """Returns the person, the thing and the label of each text.

  Persons do not depend on the kind, so that two kinds share their lists.

  Raises:
    OSError: if the folder cannot be written.
    ValueError: if it holds other work, or the model wrote no list.
  """
  found = CLASSES[name]
  (persons,) = lists.write_lists(
    'persons', [{}], config=config, model=model, folder=folder, about={}
  )
  persons = lists.tail(persons, config.tail)
  persons.sort(key=lambda person: text_id(f'{config.seed}/{person}'))
  things = lists.write_lists(
    found.things,
    [{'person': person} for person in persons[: config.most]],
    config=config,
    model=model,
    folder=folder,
    about={'tail': config.tail, 'most': config.most},
  )
  tails = [
    (person, lists.tail(items, config.tail))
    for person, items in zip(persons, things, strict=False)
    if items
  ]
  if not tails:
    raise _no_list(folder, found.things if persons else 'persons')
  return [
    _scene(tails, list(found.labels), f'{config.seed}/{name}', number)
    for number in range(config.most)
  ]


def _scene(
  tails: Sequence[tuple[str, Sequence[str]]],
  labels: Sequence[str],
  key: str,
  number: int,
) -> Row:
  """Draws a person and a thing; the labels take turns."""
  person, things = tails[text_id(f'{key}/person/{number}') % len(tails)]
  thing = things[text_id(f'{key}/thing/{number}') % len(things)]
  label = labels[number % len(labels)]
  return {'label': label, 'person': person, 'thing': thing}


def _no_list(folder: pathlib.Path, of: str) -> ValueError:
  return ValueError(
    f'The model wrote no list of {of} that can be used. Its tokens an answer '
    f'may be too few, or the model too small; see {folder}/listed_{of}.jsonl, '
    'delete it, and take another model, seed or SynthesisConfig.items.'
  )


def _draft(
  number: int,
  name: str,
  scene: Row,
  seed: int,
  model: LanguageModel,
  steps: Sequence[str],
) -> Row:
  return {
    'id': f'{name}:{number}',
    'language': 'en',
    'query': '',
    **scene,
    'model': model.identity,
    'prompt': list(steps),
    'seed': text_id(f'{seed}/{name}/{number}') % 2**31,
    'rating': None,
  }


def _kind(name: str, min_label: float) -> Kind:
  labels = CLASSES[name].labels
  asking, rating = prompts.load(f'{name}_v1'), prompts.load(f'{name}_rating_v1')
  return Kind(
    name=name,
    ask=lambda row: asking.fill(
      person=row['person'], thing=row['thing'], label=labels[row['label']]
    ),
    read=lambda line: {'query': line},
    rate=lambda row: rating.fill(text=row['query']),
    verdicts=tuple(f' {word}' for word in labels.values()),
    wanted=lambda row: f' {labels[row["label"]]}',
    min_rating=min_label,
    longest=_LONGEST,
    max_tokens=_MAX_TOKENS,
  )
