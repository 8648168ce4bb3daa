"""Runs to export: the trained one, and one of each Gemma, not yet trained.

gemb is imported inside the fixtures: pytest loads this file before jaxtyping's
import hook is there.
"""

import dataclasses
import functools
import json
import pathlib

import pytest

GOLDEN = pathlib.Path(__file__).parents[1] / 'golden'
PROMPTS = ('task: search result | query: ', 'title: none | text: ')
# Exported as they begin, and in what dtype. The last has linear scaling of
# positions, one key head, and a query scale of its own.
GEMMAS = {
  'gemma1_bidir': 'float32',
  'gemma2_bidir_softcap': 'float32',
  'gemma3_bidir_mqa_linear': 'bfloat16',
}
IN_SHARDS = 'gemma2_bidir_softcap'


@pytest.fixture(scope='session')
def texts():
  """Returns 200 texts: languages, code, and what is odd."""
  with (GOLDEN / 'texts.jsonl').open(encoding='utf-8') as lines:
    return [json.loads(line) for line in lines]


@pytest.fixture(scope='session')
def small_tokenizer(tmp_path_factory):
  """Returns a tokenizer of 384 pieces, some of which are prompts."""
  from gemb.data.config import TokenizerConfig
  from gemb.data.tokenizer import train_tokenizer

  with (GOLDEN / 'pairs.jsonl').open(encoding='utf-8') as lines:
    rows = [json.loads(line) for line in lines]
  code = [row['positive'] for row in rows if row['language'] == 'python']
  with pytest.MonkeyPatch.context() as patch:
    patch.setenv('GEMB_DATA', str(tmp_path_factory.mktemp('tokenizer')))
    return train_tokenizer(
      TokenizerConfig(name='small', vocabulary=384),
      code,
      tasks=['golden_pairs'],
      prompts=PROMPTS,
    )


@pytest.fixture(scope='session')
def trained(tiny_folder):
  """Returns the run of ten steps, and its folder."""
  from gemb import config
  from gemb.workdir import find_workdir

  workdir = find_workdir(tiny_folder / 'run')
  return config.load([str(workdir.config)])[0], workdir


@pytest.fixture(scope='session')
def begin(trained, small_tokenizer, tmp_path_factory):
  """Returns a function: a golden Gemma's name -> run and folder of step 0."""
  from gemb.model.config import EmbedderConfig, EncoderConfig
  from gemb.model.formats import hugging_face
  from gemb.model.from_decoder import PretrainedConfig
  from gemb.workdir import make_workdir

  tiny, tiny_workdir = trained

  def begin_run(name):
    path = GOLDEN / 'gemma' / name
    facts = hugging_face.facts(json.loads((path / 'config.json').read_text()))
    encoder = EncoderConfig(**facts, dtype='float32')
    run = dataclasses.replace(
      tiny,
      model=EmbedderConfig(encoder=encoder, embedding_width=16),
      pretrained=PretrainedConfig(path=str(path)),
    )
    workdir = make_workdir(tmp_path_factory.mktemp('begun') / name)
    workdir.write_tokenizer(small_tokenizer)
    workdir.write_run(
      tiny_workdir.config.read_text(),
      json.loads(tiny_workdir.about.read_text()),
    )
    return run, workdir

  return begin_run


@pytest.fixture(scope='session')
def exported(trained, begin, tmp_path_factory):
  """Exports every model once; {name: (run, workdir, step, folder)}."""
  from gemb.export import folder

  root = tmp_path_factory.mktemp('exported')
  found = {'trained': (*trained, 10, root / 'trained')}
  folder.export(*trained, root / 'trained')
  for name, dtype in GEMMAS.items():
    run, workdir = begin(name)
    with pytest.MonkeyPatch.context() as patch:
      if name == IN_SHARDS:
        small = functools.partial(folder.write_tensors, most_bytes=200_000)
        patch.setattr(folder, 'write_tensors', small)
      folder.export(run, workdir, root / name, step=0, dtype=dtype)
    found[name] = run, workdir, 0, root / name
  return found
