"""The runs of the miniature: the report's recipe at the size of two cores.

A point is a run of gemb with some bindings. It is trained once for each seed,
whichever tables it is in: its folder has the hash of its operative config. So
everything may be killed and run again.
"""

import dataclasses
import hashlib
import json
import pathlib
from typing import Any

from gemb import config, files, loop, trained, workdir
from gemb.axes import AxisRules, MeshConfig
from gemb.evals import suite
from gemb.soup.config import Method, Soup
from gemb.soup.making import make_soup
from gemb.train.metrics import read_metrics

RUNS = pathlib.Path('runs/miniature')


@dataclasses.dataclass(frozen=True, kw_only=True)
class Point:
  """A run of gemb.

  Attributes:
    files: gin files, in order.
    bindings: that follow them.
    parent: that it starts from; None: from where the files say.
    untrained: whether the model is taken as it begins.
    soup: of which points, in place of a run: their parameters are averaged.
    method: of the soup.
  """

  files: tuple[str, ...] = ()
  bindings: tuple[str, ...] = ()
  parent: 'Point | None' = None
  untrained: bool = False
  soup: tuple['Point', ...] = ()
  method: Method = 'uniform'

  def but(self, *bindings: str, **fields: Any) -> 'Point':
    """Returns the same with more bindings, or others of the same names."""
    given = dict(each.split('=', 1) for each in (*self.bindings, *bindings))
    together = tuple(f'{name}={value}' for name, value in given.items())
    return dataclasses.replace(self, bindings=together, **fields)


_MINIATURE = 'experiments/miniature.gin'
PREFINETUNE = Point(
  files=(
    'configs/run/01_prefinetune.gin',
    'configs/small/prefinetune.gin',
    _MINIATURE,
  ),
  bindings=('Run.steps=250',),
)
# Shorter, for what is compared from random parameters on.
SHORT = PREFINETUNE.but('Run.steps=120')
FINETUNE = Point(
  files=(
    'configs/run/02_finetune.gin',
    'configs/small/finetune.gin',
    _MINIATURE,
  ),
  bindings=('Run.steps=80', 'DataConfig.batch_size=64'),
  parent=PREFINETUNE,
)


def finetune(mixture: str) -> Point:
  """Returns finetuning on one of the report's mixtures."""
  name = f'configs/mixture/{mixture}.gin'
  first, *rest = FINETUNE.files
  return dataclasses.replace(FINETUNE, files=(first, name, *rest))


def folder(point: Point, seed: int) -> pathlib.Path:
  """Returns where a point's run lies, or will."""
  if point.soup:
    text = ' '.join([point.method, *_ingredients(point, seed)])
  else:
    _, text = load(point, seed)
  return RUNS / hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def scores(point: Point, seed: int) -> dict[str, float]:
  """Trains a point if it is not yet; returns its held-out scores."""
  path = folder(point, seed)
  kept = path / ('untrained.json' if point.untrained else 'scores.json')
  if kept.is_file():
    return json.loads(kept.read_text())
  print(f'{path}: seed {seed} {" ".join(point.bindings)}', flush=True)
  found = _soup_scores(point, seed) if point.soup else _run_scores(point, seed)
  files.write_file(kept, json.dumps(found, indent=1))
  return found


def _soup_scores(point: Point, seed: int) -> dict[str, float]:
  for each in point.soup:
    scores(each, seed)
  soup = Soup(
    ingredients=_ingredients(point, seed),
    method=point.method,
    fewer_candidates=True,
    mesh=MeshConfig(),
    rules=AxisRules(),
  )
  path = folder(point, seed)
  make_soup(soup, path)
  return json.loads((path / 'soup.json').read_text())['scores']


def _ingredients(point: Point, seed: int) -> tuple[str, ...]:
  return tuple(str(folder(each, seed)) for each in point.soup)


def _run_scores(point: Point, seed: int) -> dict[str, float]:
  if point.parent:
    scores(point.parent, seed)
  run, text = load(point, seed)
  path = folder(point, seed)
  loop.train(run, workdir.make_workdir(path), config_text=text)
  return judge(run, path, step=0) if point.untrained else _last_scores(path)


def judge(
  run: Any, path: pathlib.Path, *, step: int | None = None
) -> dict[str, float]:
  """Evaluates a checkpoint as training does."""
  encoder, _ = trained.load_encoder(run, workdir.find_workdir(path), step=step)
  tasks = suite.load_tasks(run.evaluation, run.data, in_training=True)
  return suite.scores(tasks, encoder.encode, run.loss.prefixes)


def load(point: Point, seed: int) -> tuple[Any, str]:
  """Returns a point's run, and its operative config."""
  names, bindings = list(point.files), [*point.bindings, f'Run.seed={seed}']
  if point.parent:
    names.append('experiments/parent.gin')
    place = str(folder(point.parent, seed))
    bindings.append(f'ParentConfig.workdir={place!r}')
  return config.load(names, bindings)


def _last_scores(path: pathlib.Path) -> dict[str, float]:
  last = read_metrics(path)[-1]
  return {
    name.removeprefix('eval/'): value
    for name, value in last.items()
    if name.startswith('eval/')
  }
