import io
import json
import pathlib
import re

import numpy as np
import pytest
import sentencepiece

from gemb.data.config import TokenizerConfig
from gemb.data.tokenizer import (
  Tokenizer,
  load_tokenizer,
  tokenizer_path,
  train_tokenizer,
)

SMALL = TokenizerConfig(name='small', vocabulary=300, texts=100)
SMALL_TEXT = TokenizerConfig(name='text', vocabulary=275)
FROM = {'tasks': ['task'], 'prompts': []}
TEXTS = [f'def add_{n}(x):\n  return x + {n}' for n in range(40)]

# As sentencepiece 0.2.3 gave them, between <bos> = 2 and <eos> = 1.
# fmt: off
GOLDEN = {
  'Hello, world!': [2, 1374, 285, 684, 1305, 373, 281, 722, 1633, 1],
  'Wo ist der Schlüssel?': [
    2, 1406, 1288, 1280, 359, 276, 272, 389, 309, 1289, 1440, 1140, 285, 1513,
    1,
  ],
  'Где ключ?': [2, 1678, 858, 881, 1331, 1490, 1381, 1513, 1],
  '鍵はどこですか。': [
    2, 3800, 1567, 240, 142, 182, 2294, 1554, 1529, 2432, 1495, 1,
  ],
  'def f(x):\n  return x  # 2': [
    2, 425, 297, 1315, 1336, 383, 9, 269, 493, 894, 269, 1350, 1280, 1361, 1,
  ],
  '': [2, 1],
}
# fmt: on


@pytest.mark.parametrize('text', GOLDEN)
def test_texts_become_the_golden_ids(tokenizer, text):
  assert tokenizer.encode([text]) == [GOLDEN[text]]


def test_many_texts_become_the_same_ids_as_one_by_one(tokenizer):
  assert tokenizer.encode(list(GOLDEN)) == list(GOLDEN.values())
  assert tokenizer.encode([]) == []


@pytest.mark.parametrize(
  'text', [*GOLDEN, '  two  spaces ', 'tab\tand\n\nlines', '😀 e\u0301', 'ﬁ½Ⅳ']
)
def test_ids_become_the_text_again(tokenizer, text):
  ids = tokenizer.encode([text])[0]
  assert tokenizer.decode(ids) == text
  assert tokenizer.decode(np.array([*ids, 0, 0], np.int32)) == text


def test_a_model_knows_its_size_and_checksum(tokenizer, golden):
  assert tokenizer.vocabulary == 4096
  assert tokenizer.path == golden / 'tokenizer.model'
  assert tokenizer.sha256.startswith('49ca39b70263')


def test_long_texts_are_cut_and_keep_their_end(tokenizer):
  text = [2, 5, 6, 7, 1]
  for ids in text, np.array(text, np.int32):
    assert tokenizer.cut(ids, 4) == [2, 5, 6, 1]
    assert tokenizer.cut(ids, 5) == [2, 5, 6, 7, 1]
    assert tokenizer.cut(ids, 2) == [2, 1]


def test_a_missing_model_is_an_error_that_says_where(tmp_path):
  path = tmp_path / 'none.model'
  message = f'no tokenizer at {path}; check TokenizerConfig.path'
  with pytest.raises(FileNotFoundError, match=re.escape(message)):
    load_tokenizer(TokenizerConfig(path=str(path)))


def test_a_file_that_is_no_model_is_refused(tmp_path):
  (tmp_path / 'a.model').write_text('hello')
  with pytest.raises(ValueError, match='is not a SentencePiece model'):
    Tokenizer(tmp_path / 'a.model')


@pytest.mark.parametrize(
  ('special', 'got'),
  [
    ({}, '-1, 2, 1'),
    ({'pad_id': 3, 'eos_id': 1, 'bos_id': 2, 'unk_id': 0}, '3, 1, 2'),
    ({'pad_id': 0, 'eos_id': 1, 'bos_id': -1, 'unk_id': 2}, '0, 1, -1'),
    ({'pad_id': 0, 'eos_id': -1, 'bos_id': 1, 'unk_id': 2}, '0, -1, 1'),
  ],
)
def test_a_model_without_gemmas_special_tokens_is_refused(
  tmp_path, special, got
):
  model = io.BytesIO()
  sentencepiece.SentencePieceTrainer.train(
    sentence_iterator=iter(TEXTS),
    model_writer=model,
    model_type='bpe',
    vocab_size=40,
    minloglevel=2,
    **special,
  )
  (tmp_path / 'a.model').write_bytes(model.getvalue())
  with pytest.raises(
    ValueError, match=f'has pad, eos, bos = {got}; gemb needs'
  ):
    Tokenizer(tmp_path / 'a.model')


def test_ones_own_model_is_loaded_from_its_path(golden, tokenizer):
  config = TokenizerConfig(path=str(golden / 'tokenizer.model'))
  assert tokenizer_path(config) == pathlib.Path(golden / 'tokenizer.model')
  assert load_tokenizer(config).sha256 == tokenizer.sha256


def test_the_path_of_a_model_may_be_one_in_the_data_folder(
  data_folder, golden, tokenizer
):
  path = data_folder / 'weights' / 'mine.model'
  path.parent.mkdir(parents=True)
  path.write_bytes((golden / 'tokenizer.model').read_bytes())
  config = TokenizerConfig(path='weights/mine.model')
  assert load_tokenizer(config).path == path


def test_a_model_of_weights_that_are_not_there_is_an_error(data_folder):
  config = TokenizerConfig(path='weights/gemma3_270m/tokenizer.model')
  with pytest.raises(FileNotFoundError, match='`gemb weights gemma3_270m` fir'):
    load_tokenizer(config)


def test_a_trained_model_has_gemmas_conventions(data_folder):
  tokenizer = train_tokenizer(SMALL, TEXTS, **FROM)
  assert tokenizer.path == data_folder / 'tokenizers/small/tokenizer.model'
  assert tokenizer.vocabulary == 300
  ids = tokenizer.encode(['def add_7(x): 鍵'])[0]
  assert (ids[0], ids[-1]) == (2, 1)
  assert 3 not in ids  # <unk>: unseen letters fall back to bytes
  assert tokenizer.decode(ids) == 'def add_7(x): 鍵'


def test_a_trained_model_splits_numbers_and_keeps_texts_as_they_are(
  data_folder,
):
  texts = [f'  ﬁnd  {n}' for n in (1984, 2024, 1984, 2024) * 20]
  tokenizer = train_tokenizer(SMALL_TEXT, texts, **FROM)
  for text in '1984', '  ﬁnd  1984', '19 84  ', '\n\n\tﬁnd':
    assert tokenizer.decode(tokenizer.encode([text])[0]) == text
  assert len(tokenizer.encode(['1984'])[0]) == 6


def test_each_prompt_is_one_piece_of_a_trained_model(data_folder):
  prompts = ['task: code retrieval | query: ', 'title: none | text: ']
  tokenizer = train_tokenizer(SMALL, TEXTS, tasks=['task'], prompts=prompts)
  assert tokenizer.vocabulary == 300
  bare, *dressed = tokenizer.encode(
    ['add_7 (x)', *(f'{prompt}add_7 (x)' for prompt in prompts)]
  )
  assert [ids[:1] + ids[2:] for ids in dressed] == [bare, bare]
  assert tokenizer.decode(dressed[0]) == f'{prompts[0]}add_7 (x)'


def test_the_recipe_of_a_trained_model_lies_beside_it(data_folder):
  tokenizer = train_tokenizer(
    SMALL, TEXTS, tasks=['b', 'a'], prompts=['q: ', 'p: ']
  )
  recipe = json.loads((tokenizer.path.parent / 'recipe.json').read_text())
  assert recipe == {
    'vocabulary': 300,
    'texts': 100,
    'tasks': ['a', 'b'],
    'rates': {},
    'prompts': ['p: ', 'q: '],
    'sha256': tokenizer.sha256,
    'sentencepiece': sentencepiece.__version__,
  }


def test_the_same_texts_train_the_same_model(data_folder):
  first = train_tokenizer(SMALL, TEXTS, **FROM)
  other = TokenizerConfig(name='other', vocabulary=300)
  assert train_tokenizer(other, TEXTS, **FROM).sha256 == first.sha256
  assert load_tokenizer(SMALL).sha256 == first.sha256
  changed = train_tokenizer(other, [*TEXTS, 'import os'], **FROM)
  assert changed.sha256 != first.sha256


def test_too_few_texts_for_the_vocabulary_are_an_error(data_folder):
  config = TokenizerConfig(name='large', vocabulary=16_384)
  with pytest.raises(
    ValueError,
    match=r'16384 pieces cannot be trained on a, b: .*Lower Tokeni',
  ):
    train_tokenizer(config, TEXTS, tasks=['a', 'b'], prompts=[])
  assert not tokenizer_path(config).parent.exists()


def test_a_trained_model_that_has_changed_since_is_refused(data_folder, golden):
  tokenizer = train_tokenizer(SMALL, TEXTS, **FROM)
  tokenizer.path.write_bytes((golden / 'tokenizer.model').read_bytes())
  expected = tokenizer.sha256[:12]
  with pytest.raises(
    ValueError, match=f'has changed .*sha256 49ca39b70263, expected {expected}'
  ):
    load_tokenizer(SMALL)


@pytest.mark.parametrize(
  ('vocabulary', 'texts', 'wanted'),
  [(301, 100, '(301, 100)'), (300, 101, '(300, 101)')],
)
def test_a_model_trained_with_other_settings_is_refused(
  data_folder, vocabulary, texts, wanted
):
  train_tokenizer(SMALL, TEXTS, **FROM)
  config = TokenizerConfig(name='small', vocabulary=vocabulary, texts=texts)
  message = f'texts = (300, 100); this run wants {wanted}. Choose another'
  with pytest.raises(ValueError, match=re.escape(message)):
    load_tokenizer(config)
