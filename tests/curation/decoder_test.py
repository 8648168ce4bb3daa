"""A golden Gemma 3 of six layers, with a tokenizer of as many pieces."""

import dataclasses
import json
import pathlib
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gemb.curation import decoder
from gemb.curation.config import DecoderModel
from gemb.data import tokenizer
from gemb.data.config import TokenizerConfig
from gemb.model.config import EmbedderConfig, EncoderConfig
from gemb.model.decoder import make_decoder
from gemb.model.formats import hugging_face

GOLDEN = pathlib.Path(__file__).parents[1] / 'golden' / 'gemma'
WEIGHTS = GOLDEN / 'gemma3_causal'
TEXTS = ('Sort a list', 'sort the list in place', 'yes', 'no', 'Delete a file')


@pytest.fixture(scope='module')
def config(tmp_path_factory):
  """Returns a golden model, with 290 pieces for a table of 384 rows."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setenv('GEMB_DATA', str(tmp_path_factory.mktemp('data')))
    settings = TokenizerConfig(name='tiny', vocabulary=290)
    trained = tokenizer.train_tokenizer(settings, TEXTS, tasks=[], prompts=[])
  facts = hugging_face.facts(json.loads((WEIGHTS / 'config.json').read_text()))
  encoder = EncoderConfig(**facts, dtype='float32')
  return DecoderModel(
    model=EmbedderConfig(encoder=encoder, embedding_width=8),
    weights=str(WEIGHTS),
    tokenizer=str(trained.path),
    longest=24,
    rows=8,
  )


@pytest.fixture(scope='module')
def model(config):
  return decoder.open_decoder(config)


@pytest.fixture(scope='module')
def log_probability(model, config):
  """Returns a function: tokens, start -> log-probability of those from there.

  Computed by the whole head, one row at a time, without padding to speak of.
  """
  score = jax.jit(make_decoder(config.model.encoder).log_probabilities)

  def compute(tokens, start):
    row = np.zeros((1, 24), np.int32)
    row[0, : len(tokens)] = tokens
    return float(score(model._params, jnp.asarray(row))[0, start - 1 :].sum())

  return compute


def pieces(config, text):
  """Returns a text's tokens, with neither <bos> nor <eos>."""
  return tokenizer.Tokenizer(config.tokenizer).encode([text])[0][1:-1]


def test_a_likelihood_is_of_the_texts_tokens_after_the_contexts(
  model, config, log_probability
):
  contexts = ['Sort a list', 'no', '']
  texts = [' yes', ' the file', 'list']
  got = model.likelihoods(contexts, texts)
  for context, text, one in zip(contexts, texts, got, strict=True):
    before = [2, *pieces(config, context)]
    tokens = [*before, *pieces(config, text)]
    wanted = log_probability(tokens, len(before))
    np.testing.assert_allclose(one, wanted, atol=1e-4)
  assert got.dtype == np.float32


def test_answers_come_in_order_and_do_not_depend_on_each_other(model):
  contexts = ['Sort a list', 'no', 'Sort a list', 'a file']
  together = model.likelihoods(contexts, [' yes', ' no', ' yes', ' yes'])
  assert together[0] == together[2] != together[3]
  assert model.likelihoods(['a file'], [' yes'])[0] == together[3]


def test_nothing_to_say_is_certain(model):
  np.testing.assert_array_equal(model.likelihoods(['yes'], ['']), [0])
  assert model.likelihoods([], []).shape == (0,)


def test_a_long_context_loses_its_middle_and_the_text_is_whole(
  model, config, log_probability
):
  context = 'Delete a file' + ' list' * 20 + ' in place'
  text = ' yes no'
  before, after = [2, *pieces(config, context)], pieces(config, text)
  room = 24 - len(after)
  assert len(before) > 24
  cut = [*before[: room // 2], *before[len(before) - (room - room // 2) :]]
  wanted = log_probability([*cut, *after], room)
  got = model.likelihoods([context], [text])
  np.testing.assert_allclose(got, [wanted], atol=1e-4)


def test_of_a_long_text_the_first_half_of_a_row_counts(model):
  text = ' Delete a file in the list' * 4
  longer = model.likelihoods(['no', 'no'], [text, text + ' yes'])
  assert longer[0] == longer[1] < 0


def test_labels_of_one_token_are_read_off_the_last_token(
  model, config, log_probability
):
  labels = ['a', 'e', 'l']
  tokens = [pieces(config, label) for label in labels]
  assert [len(x) for x in tokens] == [1, 1, 1]
  # All begin with <bos>, the first two with more; one has nothing else.
  for prompts in (['Sort a list', 'Sort a file'], ['Sort a list', '']):
    got = model.choose(prompts, labels)
    for prompt, row in zip(prompts, got, strict=True):
      before = [2, *pieces(config, prompt)]
      scores = [log_probability([*before, *x], len(before)) for x in tokens]
      wanted = scores - np.logaddexp.reduce(scores)
      np.testing.assert_allclose(row, wanted, atol=1e-4)
  assert model.choose([], labels).shape == (0, 3)


def test_longer_labels_are_told_apart_by_their_likelihoods(model):
  labels = [' yes', ' Zyx']
  got = model.choose(['Sort a list', 'no'], labels)
  scores = model.likelihoods(['no', 'no'], labels)
  wanted = scores - np.logaddexp.reduce(scores)
  np.testing.assert_allclose(got[1], wanted, atol=1e-6)


@pytest.mark.parametrize('labels', [['yes'], ['yes', 'yes'], ['yes', '']])
def test_labels_between_which_nothing_can_be_chosen_are_refused(model, labels):
  with pytest.raises(ValueError, match=re.escape(f'The labels are {labels}')):
    model.choose(['no'], labels)


def test_an_answer_is_the_prompts_and_seeds_alone(model):
  settings = {'max_tokens': 12, 'temperature': 1.0, 'stop': 'zzz'}
  prompts = ['yes', 'no', 'yes']
  first, other, second = model.complete(
    prompts, seeds=[1, 1, 2**40], **settings
  )
  assert model.complete(['yes'], seeds=[1], **settings) == [first]
  assert len({first, other, second}) == 3


def test_an_answer_ends_at_the_stop_and_at_most_tokens(model):
  settings = {'seeds': [1], 'temperature': 1.0}
  (whole,) = model.complete(['no'], max_tokens=16, stop='zzz', **settings)
  stop = whole[len(whole) // 2]
  (part,) = model.complete(['no'], max_tokens=16, stop=stop, **settings)
  assert part == whole.split(stop)[0].rstrip()
  (short,) = model.complete(['no'], max_tokens=9, stop='zzz', **settings)
  assert short != whole and whole.startswith(short)


def test_an_answer_ends_at_eos(model):
  assert model._end(np.array([40, 1, 41], np.int32), '\n')[1]
  text, ended = model._end(np.array([40, 41], np.int32), '\n')
  assert not ended and text


def test_writing_stops_once_all_answers_have_ended(model, monkeypatch):
  calls = []
  write = model._write
  monkeypatch.setattr(
    model, '_write', lambda *inputs: calls.append(1) or write(*inputs)
  )
  settings = {'seeds': [1], 'temperature': 1.0, 'max_tokens': 16}
  (whole,) = model.complete(['no'], stop='zzz', **settings)
  assert len(calls) == 2
  model.complete(['no'], stop=whole[1], **settings)
  assert len(calls) == 3


@pytest.mark.parametrize(
  ('change', 'complaint'),
  [
    ({'seeds': [1, 2]}, 'There are 1 prompts and 2 seeds'),
    ({'max_tokens': 0}, 'max_tokens=0'),
    ({'temperature': -1.0}, 'temperature=-1.0'),
    ({'stop': ''}, "stop=''"),
  ],
)
def test_what_cannot_be_written_is_refused(model, change, complaint):
  settings = {'seeds': [1], 'max_tokens': 8, 'temperature': 0.0}
  with pytest.raises(ValueError, match=re.escape(complaint)):
    model.complete(['no'], **settings | change)


def test_a_text_without_a_context_is_refused(model):
  with pytest.raises(ValueError, match='2 contexts and 1 texts'):
    model.likelihoods(['yes', 'no'], ['a'])


def test_the_identity_tells_models_apart(model, config, tmp_path):
  assert model.identity['weights'] == 'gemma3_causal'
  assert model.identity['dtype'] == 'float32'
  json.dumps(model.identity)  # it is written into journals
  copied = tmp_path / 'gemma3_causal'
  copied.mkdir()
  for file in WEIGHTS.iterdir():
    (copied / file.name).write_bytes(file.read_bytes())
  assert decoder._hash(copied) == model.identity['weights_hash']
  with (copied / 'model.safetensors').open('r+b') as file:
    file.seek(4096)
    file.write(b'other')
  assert decoder._hash(copied) != model.identity['weights_hash']


def test_weights_that_are_not_there_are_named(config, tmp_path, monkeypatch):
  monkeypatch.setenv('GEMB_DATA', str(tmp_path))
  with pytest.raises(FileNotFoundError, match='run `gemb weights gemma3_270m`'):
    decoder.open_decoder(DecoderModel(model=config.model))
  elsewhere = DecoderModel(model=config.model, weights=str(tmp_path / 'none'))
  with pytest.raises(FileNotFoundError, match=r'check DecoderModel\.weights'):
    decoder.open_decoder(elsewhere)


def test_rows_that_the_devices_do_not_divide_are_refused(config):
  with pytest.raises(ValueError, match=r'DecoderModel\.rows is 9'):
    decoder.open_decoder(dataclasses.replace(config, rows=9))


@pytest.mark.parametrize('change', [{'longest': 7}, {'rows': 0}])
def test_prompts_without_room_are_refused(config, change):
  ((name, value),) = change.items()
  with pytest.raises(ValueError, match=rf'DecoderModel\.{name} is {value}'):
    dataclasses.replace(config, **change)
