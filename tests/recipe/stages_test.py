"""The commands of tools/recipe; what finetuning is told of what they made."""

import pathlib

import pytest

from gemb import config

CURATION = 'configs/curation/small.gin'


def commands(tools, **options):
  stages = tools('recipe_stages')
  recipe = stages.make_recipe(pathlib.Path('/w'), **options)
  return [' '.join(stage.words) for stage in stages.make_stages(recipe)]


def test_the_small_chain_is_these_commands(tools):
  run = '--gin_file=configs/run/'
  small = '--gin_file=configs/small/'
  curation = '--gin_file=configs/curation/small.gin --folder=/w/curation'
  evaluate = f'{run}04_evaluate.gin'
  ingredients = (
    "('/w/02_finetune_task', '/w/02_finetune_language', '/w/02_finetune_code')"
  )
  assert commands(tools, small=True) == [
    f'cache {run}01_prefinetune.gin {small}prefinetune.gin',
    f'train {run}01_prefinetune.gin {small}prefinetune.gin '
    '--workdir=/w/01_prefinetune',
    f'mine {curation} --workdir=/w/01_prefinetune',
    f'score {curation}',
    f'filter {curation}',
    f'synthesize {curation}',
    *(
      f'train {run}02_finetune_{mixture}.gin {small}finetune.gin '
      f'--gin_file=/w/02_finetune_{mixture}.gin '
      f'--workdir=/w/02_finetune_{mixture}'
      for mixture in ('task', 'language', 'code')
    ),
    f'soup {run}03_soup.gin --gin.Soup.ingredients={ingredients} '
    '--output=/w/03_soup',
    f'evaluate --workdir=/w/01_prefinetune {evaluate}',
    f'evaluate --workdir=/w/02_finetune_task {evaluate}',
    f'evaluate --workdir=/w/02_finetune_language {evaluate}',
    f'evaluate --workdir=/w/02_finetune_code {evaluate}',
    f'evaluate --workdir=/w/03_soup {evaluate}',
  ]


def test_the_full_chain_has_the_runs_of_configs_run_alone(tools):
  full = commands(tools, small=False)
  assert not [command for command in full if 'small' in command]
  assert full[1] == (
    'train --gin_file=configs/run/01_prefinetune.gin '
    '--workdir=/w/01_prefinetune'
  )


def test_a_language_model_that_writes_nothing_only_judges(tools):
  names = [words.split()[0] for words in commands(tools, small=True)]
  judging = commands(tools, small=True, writes=False)
  names.remove('synthesize')
  assert [words.split()[0] for words in judging] == names


def test_weights_that_are_accepted_are_fetched_first(tools):
  first, *others = commands(tools, small=True, weights='gemma3_270m')
  assert first == 'weights gemma3_270m --accept_gemma_terms'
  assert others == commands(tools, small=True)


@pytest.fixture
def prepare(tools, write_rows, tmp_path):
  """Returns a function: a mixture -> its run, with a made-up curation."""

  def make(mixture, *, examples, language_model=True):
    stages = tools('recipe_stages')
    recipe = stages.make_recipe(
      tmp_path, small=True, language_model=language_model
    )
    other = tmp_path / 'curation.gin'
    other.write_text(
      'from __gin__ import dynamic_registration\n'
      'from gemb.curation import config\n'
      f"include '{CURATION}'\n"
      "config.Curation.tasks = ('python_docstrings', 'sympy_docstrings')\n"
      'config.Curation.synthesis = @config.SynthesisConfig()\n'
      "config.SynthesisConfig.queries = ('python_docstrings',)\n"
      "config.SynthesisConfig.classes = ('sentiment',)\n"
    )
    pair = {'id': '1', 'language': 'en', 'query': 'q', 'positive': 'p'}
    text = {'id': '1', 'language': 'en', 'query': 'good', 'label': 'positive'}
    for name, row in ('python_docstrings', pair), ('sentiment', text):
      path = recipe.curated / f'synthetic_{name}.jsonl'
      write_rows(path, *[row] * examples)
    curation, _ = config.load([str(other)], root='Curation')
    plain, _ = config.load(recipe.finetune[mixture])
    tools('recipe_data').write_data(recipe, mixture, plain.data, curation)
    told = str(stages.data_file(recipe, mixture))
    return plain, config.load([*recipe.finetune[mixture], told])[0]

  return make


def test_finetuning_reads_what_curation_has_made(prepare, tmp_path):
  plain, run = prepare('task', examples=16)
  assert run.parent.workdir == f'{tmp_path}/01_prefinetune'
  # Not sympy_docstrings, which the mixture does not train on.
  curated = f'{tmp_path}/curation/python_docstrings'
  assert run.data.mined_negatives == {
    'python_docstrings': f'{curated}.filtered.jsonl'
  }
  assert run.data.filtered == {'python_docstrings': f'{curated}.dropped.jsonl'}
  queries, texts = run.data.sources
  assert (queries.task, queries.label) == ('synthetic_python_docstrings', None)
  assert (texts.task, texts.label) == ('synthetic_sentiment', 'label')
  # 5% of the mixture's 28, for both together.
  assert run.data.rates == plain.data.rates | {
    'synthetic_python_docstrings': pytest.approx(0.7),
    'synthetic_sentiment': pytest.approx(0.7),
  }


def test_only_the_task_mixture_gets_what_was_written(prepare):
  plain, run = prepare('code', examples=16)
  assert run.data.sources == ()
  assert run.data.rates == plain.data.rates
  assert 'sympy_docstrings' in run.data.mined_negatives


def test_a_handful_of_written_examples_is_left_out(prepare):
  assert not prepare('task', examples=11)[1].data.sources


def test_without_a_language_model_negatives_are_as_mined(prepare):
  _, run = prepare('task', examples=16, language_model=False)
  (path,) = run.data.mined_negatives.values()
  assert path.endswith('/python_docstrings.mined.jsonl')
  assert run.data.filtered == {} and run.data.sources == ()
