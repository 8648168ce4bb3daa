"""What is written with kept keys is what would be without them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gemb.model import decoder
from gemb.model.config import EmbedderConfig, EncoderConfig
from gemb.model.embedder import make_embedder
from gemb.model.generation import Generator

CAUSAL = ('gemma1_causal', 'gemma2_causal_softcap', 'gemma3_causal')
TINY = EncoderConfig(
  vocabulary=12,
  width=8,
  layers=2,
  heads=2,
  kv_heads=1,
  head_dim=4,
  mlp_width=8,
  local_radius=2,
  global_every=2,
  dtype='float32',
)


def compiled(config, **options):
  generator = Generator(config, **options)
  read = jax.jit(generator.read, static_argnums=2)
  return read, jax.jit(generator.write, static_argnums=(3, 4))


@pytest.fixture(scope='module')
def tiny():
  embedder = make_embedder(EmbedderConfig(encoder=TINY, embedding_width=4))
  return jax.jit(embedder.init)(jax.random.key(0)), *compiled(TINY)


@pytest.fixture(scope='module', params=CAUSAL)
def golden(request, golden_gemmas, read_config, load, one_device):
  """The tokens that a reference's model and ours write after five prompts."""
  folder = golden_gemmas / request.param
  config = read_config(folder)
  _, params = load(folder, config, one_device)
  with np.load(folder / 'io.npz') as arrays:
    prompts = arrays['input_ids'].astype(np.int32)
  with np.load(golden_gemmas / 'language.npz') as arrays:
    wanted = arrays[f'{request.param}/greedy']
  read, write = compiled(config)
  seeds = np.zeros(len(prompts), np.uint32)
  reading = read(params, prompts, 16)
  reading, first = write(params, reading, seeds, 0.0, 8)
  reading, then = write(params, reading, seeds, 0.0, 8)
  written = np.concatenate([first, then], axis=1)
  return config, params, prompts, written, reading, wanted


def test_the_likeliest_tokens_are_those_of_the_reference(golden):
  *_, written, _, wanted = golden
  np.testing.assert_array_equal(written, wanted)


def test_kept_keys_give_the_vectors_that_reading_all_anew_does(golden):
  # Windows are of 8 tokens, the longest prompt of 32.
  config, params, prompts, written, reading, _ = golden
  rows = np.zeros((len(prompts), prompts.shape[1] + 16), np.int32)
  for row, prompt, answer in zip(rows, prompts, written, strict=True):
    text = np.concatenate([prompt[prompt != 0], answer])
    row[: len(text)] = text
  vectors = jax.jit(decoder.make_decoder(config).token_vectors)(params, rows)
  wanted = decoder.last_vectors(vectors, jnp.asarray(rows))
  np.testing.assert_allclose(reading.vector, wanted, atol=2e-5)


def test_an_answer_depends_on_its_prompt_and_seed_alone(tiny):
  params, read, write = tiny
  one = np.array([[2, 5, 6]], np.int32)
  others = np.array([[2, 9, 4, 4, 3, 7], [2, 5, 6, 0, 0, 0]], np.int32)

  def sample(prompts, seeds):
    reading = read(params, prompts, 8)
    return write(params, reading, np.array(seeds, np.uint32), 1.0, 8)[1]

  alone = sample(one, [7])[0]
  np.testing.assert_array_equal(sample(others, [3, 7])[1], alone)
  assert not np.array_equal(sample(others, [3, 8])[1], alone)


def test_tokens_are_drawn_by_softmax_at_the_temperature(tiny):
  params, read, write = tiny
  prompts = np.tile(np.array([[2, 5, 6]], np.int32), (4000, 1))
  reading = read(params, prompts, 8)
  seeds = np.arange(4000, dtype=np.uint32)
  _, written = write(params, reading, seeds, 0.5, 1)
  logits = np.asarray(params['encoder']['table'] @ reading.vector[0])
  wanted = np.exp(logits / 0.5) / np.exp(logits / 0.5).sum()
  shares = np.bincount(written[:, 0], minlength=12) / 4000
  assert wanted.max() < 0.9  # there is something to draw
  np.testing.assert_allclose(shares, wanted, atol=0.03)


def test_no_token_is_written_that_the_tokenizer_lacks(tiny):
  params, *_ = tiny
  read, write = compiled(TINY, pieces=5)
  prompts = np.array([[2, 3]] * 16, np.int32)
  seeds = np.arange(16, dtype=np.uint32)
  _, written = write(params, read(params, prompts, 8), seeds, 9.0, 8)
  assert set(np.unique(written)) == {0, 1, 2, 3, 4}


@pytest.mark.parametrize('begun', [1, 3])
def test_a_choice_is_the_same_however_much_was_read_before(tiny, begun):
  params, read, _ = tiny
  rows = np.array([[2, 5, 6, 7, 3], [2, 5, 6, 4, 0]], np.int32)
  vectors = decoder.make_decoder(TINY).token_vectors
  both = jax.jit(vectors)(params, rows)
  last = jnp.stack([both[0, 4], both[1, 3]])
  some = params['encoder']['table'][jnp.array([9, 4, 7])]
  wanted = jax.nn.log_softmax(last @ some.T)
  choose = jax.jit(Generator(TINY).choose)
  reading = read(params, rows[:1, :begun], 5)
  got = choose(params, reading, rows[:, begun:], jnp.array([9, 4, 7]))
  np.testing.assert_allclose(got, wanted, atol=1e-5)
  np.testing.assert_allclose(np.exp(got).sum(axis=1), 1, atol=1e-6)
