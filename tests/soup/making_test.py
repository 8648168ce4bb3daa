"""gemb soup, from the command line to a work folder like any other."""

import json
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gemb import config, main, trained
from gemb.axes import AxisRules, MeshConfig
from gemb.soup.config import Soup
from gemb.soup.greedy import Trial
from gemb.soup.ingredients import find_ingredients
from gemb.soup.kitchen import Kitchen
from gemb.soup.making import mix
from gemb.train.checkpoints import Checkpoints
from gemb.workdir import find_workdir

RECIPE = 'configs/run/03_soup.gin'


def arguments(ingredients, output, *bindings):
  given = (f'Soup.ingredients={tuple(map(str, ingredients))!r}', *bindings)
  return [
    'soup',
    f'--gin_file={RECIPE}',
    f'--output={output}',
    *(f'--gin.{binding}' for binding in given),
  ]


def params_of(folder, step=None):
  found = find_workdir(folder)
  run, _ = config.load([str(found.config)])
  return trained.load_encoder(run, found, step=step)[0].params


def assert_is_mean(soup, first, second):
  jax.tree.map(
    lambda x, a, b: np.testing.assert_allclose(
      x, (np.asarray(a) + np.asarray(b)) / 2, atol=1e-6
    ),
    soup,
    first,
    second,
  )


@pytest.fixture(scope='module')
def soup_folder(tiny_folder, tmp_path_factory):
  """A uniform soup of the tiny run's two checkpoints, with a line."""
  folder = tmp_path_factory.mktemp('soup') / 'soup'
  with pytest.MonkeyPatch.context() as patch:
    patch.setenv('GEMB_DATA', str(tiny_folder / 'data'))
    run = tiny_folder / 'run'
    status = main.main(
      arguments([f'{run}@all'], folder, 'Soup.line=3', 'Soup.line_batches=1')
    )
  if status:
    pytest.fail(f'gemb soup exited with {status}')
  return folder


@pytest.fixture
def refused(capsys, tiny_run, tmp_path):
  """Runs a soup that must fail; returns its one line of complaint."""

  def run(ingredients, *bindings, output=tmp_path / 'soup'):
    before = output.exists()
    capsys.readouterr()
    assert main.main(arguments(ingredients, output, *bindings)) == 2
    error = capsys.readouterr().err
    assert error.startswith('gemb: ') and error.count('\n') == 1, error
    assert output.exists() == before
    return error

  return run


def test_a_soup_is_the_mean_of_its_ingredients(soup_folder, tiny_run):
  steps = [8, 10]
  ingredients = [params_of(tiny_run, step) for step in steps]
  assert_is_mean(params_of(soup_folder), *ingredients)


def test_a_soup_says_what_it_is_made_of(soup_folder, tiny_run):
  content = json.loads((soup_folder / 'soup.json').read_text())
  first, second = content['ingredients']
  assert (first['workdir'], first['step']) == (str(tiny_run), 8)
  assert (second['step'], second['weight']) == (10, 0.5)
  assert first['config'] == second['config']
  names = {
    f'{task}@{prefix}'
    for task in ('bitext/accuracy', 'golden_held_out/ndcg@10')
    for prefix in (4, 8, 16)
  }
  assert names == content['scores'].keys() == first['scores'].keys()
  assert content['recipe']['method'] == 'uniform'
  found = find_workdir(soup_folder)
  run, _ = config.load([str(found.config)])
  with Checkpoints(found.checkpoints, run.checkpoints) as checkpoints:
    (step,) = checkpoints.steps()
    about = checkpoints.about(step)
  assert step == 10
  parents = json.loads(found.about.read_text())['soup']
  assert about['soup'] == parents
  assert parents == {k: v for k, v in content.items() if k != 'line'}


def test_its_ingredients_stand_beside_it_at_each_prefix(soup_folder, tiny_run):
  table = (soup_folder / 'soup.md').read_text()
  rows = [line.strip('| ').split() for line in table.splitlines()[2:]]
  names = [f'{tiny_run}@8', f'{tiny_run}@10', 'soup']
  assert [(row[0], row[2]) for row in rows] == [
    (prefix, name) for prefix in ('4', '8', '16') for name in names
  ]


def test_the_loss_at_the_ends_and_at_the_soup_is_that_of_the_line(soup_folder):
  line = json.loads((soup_folder / 'soup.json').read_text())['line']
  ((of, losses),) = line['losses'].items()
  assert line['shares'] == [0, 0.5, 1] and line['soup_share'] == 0.5
  assert line['soup'][of] == pytest.approx(losses[1], rel=1e-5)
  assert losses[2] < losses[0]  # step 10 is better than step 8
  assert 'soup' in (soup_folder / 'line.svg').read_text()


def test_an_ingredient_is_scored_as_in_training(soup_folder, tiny_run):
  content = json.loads((soup_folder / 'soup.json').read_text())
  last = json.loads((tiny_run / 'metrics.jsonl').read_text().splitlines()[-1])
  for name, score in content['ingredients'][1]['scores'].items():
    assert score == pytest.approx(last[f'eval/{name}'], abs=1e-6)


def test_the_same_recipe_is_not_cooked_twice(soup_folder, tiny_run, capsys):
  before = (soup_folder / 'soup.json').stat().st_mtime_ns
  again = arguments(
    [f'{tiny_run}@8', f'{tiny_run}@10'],
    soup_folder,
    'Soup.ingredients=' + repr((f'{tiny_run}@all',)),
    'Soup.line=3',
    'Soup.line_batches=1',
  )
  del again[3]  # the first ingredients
  assert main.main(again) == 0
  assert 'is there, by this recipe' in capsys.readouterr().out
  assert (soup_folder / 'soup.json').stat().st_mtime_ns == before


class Pantry(Kitchen):
  """Holds parameters of two numbers; the nearer to (1, 1), the better."""

  def __init__(self, stock):
    names = SimpleNamespace(logical_axes={'w': ('embed',)})
    object.__setattr__(self, 'stock', stock)
    object.__setattr__(self, 'embedder', names)

  def load(self, ingredient):
    return {'w': jnp.array(self.stock[ingredient.step])}

  def scores(self, params):
    return {'m@2': -float(jnp.abs(params['w'] - 1).sum()), 'other@2': 0.0}


@pytest.fixture
def mixed(tiny_run):
  """Mixes (2, 0) and (0, 2), which stand for steps 8 and 10."""
  pantry = Pantry({8: [2.0, 0.0], 10: [0.0, 2.0]})
  ingredients = find_ingredients([f'{tiny_run}@all'])

  def run(**settings):
    soup = Soup(
      ingredients=(f'{tiny_run}@all',),
      mesh=MeshConfig(),
      rules=AxisRules(),
      **settings,
    )
    own = {i.name: pantry.scores(pantry.load(i)) for i in ingredients}
    found = mix(soup, ingredients, pantry, own, ['m@2'])
    return found.params['w'].tolist(), [*found.weights.values()], found.trials

  return run


def test_soups_by_other_methods_have_their_weights(mixed):
  params, weights, _ = mixed(method='weighted', weights=(1.0, 3.0))
  assert (params, weights) == ([0.5, 1.5], [0.25, 0.75])
  params, weights, _ = mixed(method='slerp')
  assert params == pytest.approx([2**0.5, 2**0.5]) and weights == [0.5, 0.5]
  params, weights, _ = mixed(method='slerp', weights=(0.0, 2.0))
  assert params == pytest.approx([0, 2]) and weights == [0, 1]


def test_a_greedy_soup_is_chosen_by_its_metrics(mixed, tiny_run):
  params, weights, trials = mixed(method='greedy')
  assert (params, weights) == ([1, 1], [0.5, 0.5])
  assert trials == [
    Trial(name=f'{tiny_run}@8', score=-2.0, stays=True),
    Trial(name=f'{tiny_run}@10', score=0.0, stays=True),
  ]


def test_fewer_than_two_ingredients_are_refused(refused, tiny_run):
  error = refused([f'{tiny_run}@10'])
  assert 'names one checkpoint' in error and 'at least two' in error


def test_an_ingredient_that_is_named_twice_is_refused(refused, tiny_run):
  error = refused([tiny_run, f'{tiny_run}/../run@10'])
  assert 'names one checkpoint twice' in error


@pytest.mark.parametrize(
  ('bindings', 'complaint'),
  [
    (
      ("Soup.method='weighted'", 'Soup.weights=(1, 1, 1)'),
      'Soup.weights has 3 numbers for 2 ingredients',
    ),
    (
      ("Soup.method='weighted'", 'Soup.weights=(0, 0)'),
      'not sum to 0',
    ),
    (
      ("Soup.method='greedy'", "Soup.metrics=('bitext/acuracy@16',)"),
      'did you mean bitext/accuracy@16',
    ),
    (('MeshConfig.fsdp=3',), 'fsdp=3'),
  ],
)
def test_a_soup_that_does_not_fit_its_ingredients_is_refused(
  bindings, complaint, refused, tiny_run
):
  names = [f'{tiny_run}@{step}' for step in (8, 10)]
  assert complaint in refused(names, *bindings)


def test_another_recipe_for_a_soup_that_is_there_is_refused(
  refused, soup_folder, tiny_run
):
  slerp = "Soup.method='slerp'"
  error = refused([f'{tiny_run}@all'], slerp, output=soup_folder)
  assert "method was 'uniform', is 'slerp'" in error
  error = refused([f'{tiny_run}@all'], output=tiny_run)
  assert 'is there already, and is no soup' in error
