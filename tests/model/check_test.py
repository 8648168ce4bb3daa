import dataclasses
import functools
import re

import jax.numpy as jnp
import pytest

from gemb.model import check, embedder, encoder, layers
from gemb.model.config import EmbedderConfig, EncoderConfig
from gemb.model.embedder import make_embedder
from gemb.train.state import init_params

GEMMA_3 = EncoderConfig(
  vocabulary=32,
  width=16,
  layers=4,
  heads=4,
  kv_heads=2,
  head_dim=8,
  mlp_width=32,
  local_radius=3,
  global_every=3,
  query_scale=5.0,
  global_rope_scale=8.0,
)
PLAIN = {'qk_norm': False, 'query_scale': None, 'global_rope_scale': 1.0}
FAMILIES = {
  'gemma_1': PLAIN | {'global_every': 1, 'post_norms': False},
  'gemma_2': PLAIN | {'global_every': 2, 'attention_softcap': 2.0},
  'gemma_3': {},
  'multi_query': {'heads': 3, 'kv_heads': 1},
  'one_local_layer': {'layers': 1, 'local_radius': 1, 'vocabulary': 6},
  'one_global_layer': {'layers': 1, 'global_every': 1},
  'a_window_without_end': {'local_radius': 1_000_000},
  'hardly_more_than_word_vectors': {'layers': 2, 'branch_gain': 0.001},
}


def model(**fields):
  config = dataclasses.replace(GEMMA_3, **fields)
  return EmbedderConfig(encoder=config, embedding_width=12)


# Of the whole embedder.
COMPARED = {
  'first_token': {'pooling': 'first'},
  'last_token': {'pooling': 'last'},
  'causal': {'causal': True},
  'causal_last_token': {'causal': True, 'pooling': 'last'},
}


@pytest.fixture(scope='module')
def random_params(one_device):
  """Returns random parameters of the Gemma 3, drawn before any fault."""
  return init_params(make_embedder(model()), one_device, seed=0)


@pytest.fixture
def measure(one_device, random_params):
  """Returns the findings on a Gemma 3 with random parameters, by name."""

  def check_gemma_3(**fields):
    config, params = model(**fields), random_params
    if fields:
      params = init_params(make_embedder(config), one_device, seed=0)
    return check.check_embedder(config, params, one_device)

  return check_gemma_3


@pytest.mark.parametrize('family', FAMILIES)
def test_every_family_passes(measure, family):
  findings = measure(**FAMILIES[family])
  assert all(finding.holds for finding in findings)
  equal = [finding.change for finding in findings if not finding.wanted]
  assert max(equal) < 3e-5  # far from the limit


@pytest.mark.parametrize('name', COMPARED)
def test_what_is_there_for_comparison_passes(name, one_device):
  config = dataclasses.replace(model(), **COMPARED[name])
  params = init_params(make_embedder(config), one_device, seed=0)
  findings = check.check_embedder(config, params, one_device)
  (next_token,) = [f for f in findings if 'the next token' in f.what]
  assert next_token.wanted == (not config.causal)


def test_a_causal_mask_that_was_taken_off_is_found(one_device, replace):
  @replace(encoder, 'Sight')
  def _(sight, **fields):
    return sight(**fields | {'causal': False})

  config = dataclasses.replace(model(), causal=True)
  params = init_params(make_embedder(config), one_device, seed=0)
  with pytest.raises(ValueError, match='changes with the next token'):
    check.check_embedder(config, params, one_device)


def test_parameters_on_eight_devices_pass(eight_devices):
  config = model()
  params = init_params(make_embedder(config), eight_devices, seed=0)
  findings = check.check_embedder(config, params, eight_devices)
  assert [finding.what for finding in findings] == [
    "a token's vector changes with the next token",
    "a token's vector changes with the token before",
    "a text's embedding changes with its tokens",
    "a text's embedding changes with their order",
    "a text's embedding changes with the amount of padding",
    "a text's embedding changes with the side of the padding",
    "a text's embedding changes with the other texts",
    *SHARED,
    'attention of layer 0 (local) differs from its definition',
    'attention of layer 2 (global) differs from its definition',
  ]


LOCAL = 'attention of layer 0 (local) differs from its definition'
GLOBAL = 'attention of layer 2 (global) differs from its definition'
PADDING = "a text's embedding changes with the amount of padding"
SHARED = [
  "a text's embedding changes with the text before it in its row",
  "a text's embedding changes with the text behind it in its row",
]


def faults(measure, **fields):
  """Returns what the error names, without the numbers."""
  with pytest.raises(ValueError, match='does not compute what it') as error:
    measure(**fields)
  listed = re.search('should: (.*)[.] Undo', str(error.value)).group(1)
  return [re.sub(r' by \S+ \(.*', '', one) for one in listed.split('; ')]


@pytest.fixture
def replace(monkeypatch):
  """Returns a decorator that puts a fault, given the sound one, in place."""

  def replace_function(module, name):
    sound = getattr(module, name)

    def decorate(fault):
      monkeypatch.setattr(module, name, functools.partial(fault, sound))

    return decorate

  return replace_function


def test_a_causal_mask_is_found(measure, replace):
  @replace(encoder, 'Sight')
  def _(sight, **fields):
    return sight(**fields | {'causal': True})

  next_token = "a token's vector changes with the next token"
  assert faults(measure) == [next_token, LOCAL, GLOBAL]


def test_a_mask_that_hides_earlier_tokens_is_found(measure, replace):
  @replace(encoder, 'Sight')
  def _(sight, positions, **fields):
    return sight(positions=-positions, **fields | {'causal': True})

  token_before = "a token's vector changes with the token before"
  assert faults(measure) == [token_before, LOCAL, GLOBAL]


def test_attention_to_padding_is_found(measure, replace):
  @replace(encoder, 'Sight')
  def _(sight, segments, **fields):
    return sight(segments=jnp.maximum(segments, 1), **fields)

  assert faults(measure) == [PADDING, LOCAL, GLOBAL]


def test_attention_to_a_text_of_the_same_row_is_found(measure, replace):
  @replace(encoder, 'Sight')
  def _(sight, segments, **fields):
    return sight(segments=jnp.minimum(segments, 1), **fields)

  assert faults(measure) == SHARED


def test_a_mean_over_all_texts_of_a_row_is_found(measure, replace):
  @replace(embedder, 'mean_pool')
  def _(mean_pool, x, segments, *, slots):
    pooled = mean_pool(x, jnp.minimum(segments, 1), slots=slots)
    return jnp.broadcast_to(pooled[:, :1], pooled.shape)

  assert faults(measure) == SHARED


def test_positions_that_go_on_from_text_to_text_are_right(measure, replace):
  @replace(encoder, 'positions_in_segments')
  def _(positions_in_segments, segments):
    return positions_in_segments(jnp.minimum(segments, 1))

  assert measure()  # attention depends on differences alone


def test_a_mean_over_padding_is_found(measure, replace):
  @replace(embedder, 'mean_pool')
  def _(mean_pool, x, segments, *, slots):
    return mean_pool(x, jnp.maximum(segments, 1), slots=slots)

  assert faults(measure) == [PADDING]


@pytest.mark.parametrize('distance', [1, 4])
def test_a_leak_between_texts_is_found(measure, replace, distance):
  @replace(embedder, 'mean_pool')
  def _(mean_pool, x, segments, *, slots):
    pooled = mean_pool(x, segments, slots=slots)
    return pooled + 0.01 * jnp.roll(pooled, distance, axis=0)

  assert "a text's embedding changes with the other texts" in faults(measure)


@pytest.mark.parametrize('change', [-1, 1])
def test_a_window_off_by_one_is_found(measure, replace, change):
  @replace(encoder, 'Sight')
  def _(sight, local_radius, **fields):
    return sight(local_radius=local_radius + change, **fields)

  assert faults(measure) == [LOCAL]


def test_keys_shifted_against_queries_are_found(measure, replace):
  @replace(layers, 'rotate')
  def _(rotate, x, positions, *numbers):
    is_key = x.shape[2] == GEMMA_3.kv_heads
    return rotate(x, positions + is_key, *numbers)

  assert faults(measure) == [LOCAL, GLOBAL]


def test_all_positions_shifted_alike_are_right(measure, replace):
  @replace(layers, 'rotate')
  def _(rotate, x, positions, *numbers):
    return rotate(x, positions + 5, *numbers)

  assert measure()


def test_positions_that_are_all_zero_are_found(measure, replace):
  @replace(layers, 'rotate')
  def _(rotate, x, positions, *numbers):
    return rotate(x, 0 * positions, *numbers)

  order = "a text's embedding changes with their order"
  assert faults(measure, local_radius=8) == [order, LOCAL, GLOBAL]


def test_another_base_of_the_rotation_is_found(measure, replace):
  @replace(layers, 'rotate')
  def _(rotate, x, positions, theta, scale):
    return rotate(x, positions, jnp.where(theta > 1e5, theta, 2e4), scale)

  assert faults(measure) == [LOCAL]


def test_a_softcap_left_out_is_found(measure, replace):
  @replace(layers, 'softcap')
  def _(softcap, x, cap):
    return x

  missing = faults(measure, **FAMILIES['gemma_2'])
  assert missing == [LOCAL, GLOBAL.replace('2', '1')]


def test_parameters_that_are_no_numbers_are_found(one_device):
  config = model()
  params = init_params(make_embedder(config), one_device, seed=0)
  params['encoder']['table'] = params['encoder']['table'] * jnp.nan
  with pytest.raises(ValueError, match='with the other texts by nan') as error:
    check.check_embedder(config, params, one_device)
  assert 'attention' not in str(error.value)


def test_a_kernel_that_differs_from_xla_is_found(measure, monkeypatch):
  distances = {'local': 0.1, 'global': 0.01}
  monkeypatch.setattr(
    check.comparison, 'compare', lambda *_: ('pallas', distances)
  )
  with pytest.raises(ValueError, match=r'by 0\.1 \(at most 0\.03\)') as error:
    measure()
  assert 'local attention by pallas differs from' in str(error.value)
  assert 'global attention' not in str(error.value)


def test_the_error_says_how_much_was_found_and_is_allowed(measure, replace):
  @replace(embedder, 'mean_pool')
  def _(mean_pool, x, segments, *, slots):
    return jnp.ones_like(mean_pool(x, segments, slots=slots))

  message = re.escape('with its tokens by 0 (at least 1e-05); a text')
  with pytest.raises(ValueError, match=message):
    measure()
