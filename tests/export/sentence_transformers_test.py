"""Exported folders in the real sentence-transformers."""

import json
import pathlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gemb.evals.retrieval import truncate
from gemb.export import contents
from gemb.trained import load_encoder

HERE = pathlib.Path(__file__).parent
FLOAT32 = ('trained', 'gemma1_bidir', 'gemma2_bidir_softcap')
BFLOAT16 = 'gemma3_bidir_mqa_linear'
NAMES = (*FLOAT32, BFLOAT16)
PREFIXES = (4, 8, 16)
DISTINCT_PROMPTS = ('', *sorted(set(contents.text_prompts({}).values())))


@pytest.fixture(scope='module')
def theirs(exported, tmp_path_factory):
  """Returns what sentence-transformers makes of each folder."""
  output = tmp_path_factory.mktemp('theirs')
  folders = [folder for *_, folder in exported.values()]
  subprocess.run(
    [
      sys.executable,
      HERE / 'golden_sentence_transformers.py',
      HERE.parent / 'golden' / 'texts.jsonl',
      output,
      *folders,
    ],
    check=True,
  )
  found = {}
  for name in exported:
    with np.load(output / f'{name}.npz') as arrays:
      found[name] = dict(arrays)
  return found


@pytest.fixture(scope='module')
def encoders(exported):
  """Returns our encoder of each, with the parameters that were exported."""
  found = {}
  for name, (run, workdir, step, _) in exported.items():
    encoder, _ = load_encoder(run, workdir, step=step)
    if name == BFLOAT16:
      rounded = jax.tree.map(lambda x: x.astype(jnp.bfloat16), encoder.params)
      encoder = encoder.with_params(
        jax.tree.map(lambda x: x.astype(jnp.float32), rounded)
      )
    found[name] = encoder
  return found


def cosines(ours, theirs, prefix):
  return np.sum(truncate(ours, prefix) * truncate(theirs, prefix), axis=1)


def test_the_texts_are_two_hundred_and_differ(texts):
  assert len(texts) == len(set(texts)) == 200


@pytest.mark.parametrize('name', NAMES)
def test_every_text_has_the_same_token_ids(name, encoders, theirs, texts):
  tokenizer = encoders[name].tokenizer
  ours = [tokenizer.cut(ids, 32) for ids in tokenizer.encode(texts)]
  rows = zip(theirs[name]['ids'], theirs[name]['lengths'], strict=True)
  assert [row[:length].tolist() for row, length in rows] == ours
  assert sum(len(ids) == 32 for ids in ours) > 20  # and some were cut


@pytest.mark.parametrize('name', NAMES)
def test_the_prompts_are_known_by_name(name, theirs):
  prompts = json.loads(theirs[name]['prompts'].item())
  assert prompts == contents.text_prompts({})


@pytest.mark.parametrize('prompt', DISTINCT_PROMPTS)
@pytest.mark.parametrize('name', FLOAT32)
def test_embeddings_are_the_same_at_every_prefix(
  name, prompt, encoders, theirs, texts
):
  ours = encoders[name].encode([prompt + text for text in texts])
  batched = theirs[name][f'batched/{prompt}']
  single = theirs[name][f'single/{prompt}']
  for prefix in PREFIXES:
    assert cosines(ours, batched, prefix).min() >= 0.9999
    some = ours[:: len(ours) // len(single)]
    assert cosines(some, single, prefix).min() >= 0.9999


@pytest.mark.parametrize('name', NAMES)
def test_truncation_keeps_the_first_dimensions(name, theirs):
  whole = theirs[name]['batched/']
  assert whole.shape == (200, 16)
  for prefix in PREFIXES:
    np.testing.assert_array_equal(
      theirs[name][f'truncated/{prefix}'], whole[:, :prefix]
    )


def test_a_bfloat16_folder_in_float32_has_the_same_embeddings(
  encoders, theirs, texts
):
  ours = encoders[BFLOAT16].encode(texts)
  for prefix in PREFIXES:
    assert cosines(ours, theirs[BFLOAT16]['float32'], prefix).min() >= 0.9999


def test_a_bfloat16_folder_as_it_is_computes_roughly_the_same(
  encoders, theirs, texts
):
  # sentence-transformers then computes with activations of 8 bits too, in the
  # projection as well; measured on these texts: 0.9997.
  ours = encoders[BFLOAT16].encode(texts)
  assert cosines(ours, theirs[BFLOAT16]['batched/'], 16).min() >= 0.999
