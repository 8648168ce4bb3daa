"""Every config resolves: what is never run rots."""

import collections
import math
import pathlib
import re

import gin
import jax
import pytest

from gemb import config
from gemb.curation.config import Curation
from gemb.launch.config import Job
from gemb.model.embedder import make_embedder
from gemb.run import Run
from gemb.soup.config import Soup

REPOSITORY = pathlib.Path(__file__).parents[1]
CONFIGS = REPOSITORY / 'configs'
SOUP = CONFIGS / 'run' / '03_soup.gin'
# Both are no runs: the second is read after a run's own config.
JUDGED = CONFIGS / 'run' / '04_evaluate.gin'
RUNS = sorted({*(CONFIGS / 'run').glob('*.gin')} - {SOUP, JUDGED})
CURATIONS = sorted((CONFIGS / 'curation').glob('*.gin'))
LAUNCHES = sorted((CONFIGS / 'launch').glob('*.gin'))  # behind a run
TRACKINGS = sorted((CONFIGS / 'tracking').glob('*.gin'))  # so too
FRAGMENTS = sorted(
  path
  for path in CONFIGS.glob('*/*.gin')
  # Those of `small` go behind a run (tests/experiments_test.py).
  if path.parent.name not in ('run', 'curation', 'small', 'launch', 'tracking')
)
# Of the released checkpoints: transformer and table, as the hub counts them,
# without vision towers and the 64 rows that these add to the table.
GEMMA_PARAMETERS = {
  'gemma_2b': 2_506_172_416,
  'gemma_7b': 8_537_680_896,
  'gemma2_2b': 2_614_341_888,
  'gemma2_9b': 9_241_705_984,
  'gemma2_27b': 27_227_128_320,
  'gemma3_270m': 268_098_176,
  'gemma3_1b': 999_885_952,
  'gemma3_4b': 3_880_099_328,
  'gemma3_12b': 11_765_788_416,
  'gemma3_27b': 27_009_002_240,
  'embeddinggemma_300m': 302_863_104,
}
# Included by no run; resolves in place of another fragment of its folder.
MIXTURES = ('task_diverse', 'language_diverse', 'code')
SHARDINGS = ('tensor', 'fsdp_tensor', 'multislice')
INSTEAD_OF = {
  **{
    f'model/{gemma}.gin': 'model/gemma3_270m.gin'
    for gemma in GEMMA_PARAMETERS.keys() - {'gemma3_270m'}
  },
  **{f'mixture/{name}.gin': 'mixture/finetune.gin' for name in MIXTURES},
  **{f'sharding/{name}.gin': 'sharding/data.gin' for name in SHARDINGS},
}


def name(path):
  return path.relative_to(CONFIGS).as_posix()


def included(text):
  return re.findall(r"^include 'configs/(.*)'$", text, re.MULTILINE)


def variant(run, fragment, other, folder):
  """Resolves a run with another fragment in the place of one."""
  path = folder / run.name
  text = run.read_text().replace(f'configs/{fragment}', f'configs/{other}')
  path.write_text(text)
  return config.load([str(path)])[0]


def gemma_run(gemma, folder):
  """Resolves the run of Gemma 3 270M with any Gemma."""
  run = CONFIGS / 'run' / '05_gemma3_270m.gin'
  return variant(run, 'model/gemma3_270m.gin', f'model/{gemma}.gin', folder)


def test_there_are_runs_curations_and_fragments():
  assert RUNS and CURATIONS and FRAGMENTS


@pytest.mark.parametrize('path', RUNS, ids=name)
def test_every_run_resolves_and_its_operative_text_to_the_same(path, tmp_path):
  run, text = config.load([str(path)])
  assert isinstance(run, Run)
  (tmp_path / 'config.gin').write_text(text)
  again, same_text = config.load([str(tmp_path / 'config.gin')])
  assert again == run
  assert same_text == text


@pytest.mark.parametrize('path', FRAGMENTS, ids=name)
def test_every_fragment_is_part_of_a_run_or_of_a_variant(path, tmp_path):
  if name(path) not in INSTEAD_OF:
    assert any(name(path) in included(run.read_text()) for run in RUNS)
    return
  usual = INSTEAD_OF[name(path)]
  for run in RUNS:
    if usual in included(run.read_text()):
      other = variant(run, usual, name(path), tmp_path)
      assert other != config.load([str(run)])[0]


def test_services_follow_a_run_one_by_one_and_together():
  quickstart = str(CONFIGS / 'run' / '00_quickstart.gin')
  for path in TRACKINGS:
    tracking = config.load([quickstart, str(path)])[0].tracking
    assert [k for k, v in vars(tracking).items() if v] == [path.stem]
  both = config.load([quickstart, *map(str, TRACKINGS)])[0].tracking
  assert both.wandb and both.mlflow


@pytest.mark.parametrize('path', CURATIONS, ids=name)
def test_every_curation_resolves_and_its_operative_text_to_the_same(
  path, tmp_path
):
  curation, text = config.load([str(path)], root='Curation')
  assert isinstance(curation, Curation)
  (tmp_path / 'config.gin').write_text(text)
  again, _ = config.load([str(tmp_path / 'config.gin')], root='Curation')
  assert again == curation


@pytest.mark.parametrize('path', LAUNCHES, ids=name)
def test_every_launch_file_makes_a_job_of_a_run(path, tmp_path):
  job, text = config.load([str(RUNS[0]), str(path)], root='Job')
  assert isinstance(job, Job)
  (tmp_path / 'job.gin').write_text(text)
  again, _ = config.load([str(tmp_path / 'job.gin')], root='Job')
  assert again == job


def test_the_soup_resolves_and_its_operative_text_to_the_same(tmp_path):
  soup, text = config.load([str(SOUP)], root='Soup')
  assert isinstance(soup, Soup)
  (tmp_path / 'config.gin').write_text(text)
  again, _ = config.load([str(tmp_path / 'config.gin')], root='Soup')
  assert again == soup


def finetune_rates(*mixture):
  files = [CONFIGS / 'run' / '02_finetune.gin']
  files += [CONFIGS / 'mixture' / f'{name}.gin' for name in mixture]
  rates = config.load([str(file) for file in files])[0].data.rates
  return {task: rate / sum(rates.values()) for task, rate in rates.items()}


def test_the_union_gives_each_finetuning_mixture_a_third():
  thirds = collections.Counter()
  for mixture in MIXTURES:
    for task, share in finetune_rates(mixture).items():
      thirds[task] += share / 3
  union = finetune_rates()
  assert union.keys() == thirds.keys()
  assert all(abs(union[task] - thirds[task]) < 2e-3 for task in union)


def test_all_runs_of_the_software_corpora_share_one_tokenizer():
  runs = [run for run in RUNS if 'corpora/software.gin' in run.read_text()]
  loaded = [config.load([str(run)])[0].data for run in runs]
  assert len({str(data.tokenizer) for data in loaded}) == 1
  assert len({str(data.prompts) for data in loaded}) == 1  # its pieces too


@pytest.mark.parametrize('gemma', GEMMA_PARAMETERS)
def test_every_gemma_has_as_many_parameters_as_the_released_one(
  gemma, tmp_path
):
  run = gemma_run(gemma, tmp_path)
  shapes = jax.eval_shape(make_embedder(run.model).init, jax.random.key(0))
  assert GEMMA_PARAMETERS[gemma] == sum(
    math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes['encoder'])
  )


@pytest.mark.parametrize('gemma', GEMMA_PARAMETERS)
def test_every_gemma_has_the_traits_of_its_generation(gemma, tmp_path):
  encoder = gemma_run(gemma, tmp_path).model.encoder
  generation = gemma.split('_')[0]
  third = generation in ('gemma3', 'embeddinggemma')
  large = gemma in ('gemma3_4b', 'gemma3_12b', 'gemma3_27b')
  assert encoder.qk_norm == third
  assert encoder.post_norms == (generation != 'gemma')
  assert encoder.global_every == {'gemma': 1, 'gemma2': 2}.get(generation, 6)
  assert encoder.global_rope_theta == (1e6 if third else 1e4)
  assert encoder.global_rope_scale == (8 if large else 1)
  assert (encoder.attention_softcap, encoder.logit_softcap) == (
    (50, 30) if generation == 'gemma2' else (None, None)
  )
  if third:
    assert encoder.local_radius == (512 if large else 256)
  if generation == 'gemma2':
    assert encoder.local_radius == 2048
  if encoder.query_scale:
    assert encoder.query_scale == encoder.width / encoder.heads
    assert gemma.endswith('_27b')


@pytest.mark.parametrize('path', RUNS, ids=name)
def test_gin_itself_builds_the_same_run(path, monkeypatch):
  monkeypatch.chdir(REPOSITORY)
  try:
    gin.parse_config_file(str(path))
    built = gin.get_configurable(Run)()
  finally:
    gin.clear_config(clear_constants=True)
  assert built == config.load([str(path)])[0]
