import io
import json
import random

import pytest
import sentencepiece
import tokenizers

from gemb.data.config import TokenizerConfig
from gemb.data.tokenizer import Tokenizer, train_tokenizer
from gemb.data.tokenizer_json import tokenizer_files

PROMPTS = ('task: search result | query: ', 'title: none | text: ', 'title')
ODD = (
  '',
  ' ',
  '\n',
  '\t\t x',
  '  two  spaces  ',
  'line\r\nbreak\n\n\nand\u2028more',
  'x\0y\x07',
  '😀👩\u200d👧 🇩🇪 𒀀',
  'e\u0301 and é, ﬁ½Ⅳ',
  '日本語とEnglishの混在。',
  'العربية, עברית',
  '\ufeffmark \ufffd \U0010ffff',
  '<bos>',
  '<eos> in <pad> the <unk> middle <eos>',
  '<0x41> is no byte',
  '▁ a▁b ▁▁',
  'def f(x):\n    return {\n        "a":    1,\n    }\n',
  'task: search result | query: where is it?',
  'title: none | text: title: none | text:',
  'task:search result|query:',
)


def fuzz(alphabet, count=400):
  """Returns random texts of an alphabet; None: of all of Unicode."""
  draw = random.Random(0)
  texts = []
  for _ in range(count):
    length = draw.randrange(40)
    if alphabet is None:
      tops = [draw.choice((0x80, 0x3000, 0x110000)) for _ in range(length)]
      codes = [draw.randrange(top) for top in tops]
      texts.append(''.join(chr(c) for c in codes if c >> 11 != 0x1B))
    else:
      texts.append(''.join(draw.choices(alphabet, k=length)))
  return texts


def library(model, max_length=4096):
  """Returns the tokenizer of the tokenizers library, as transformers has it."""
  files = tokenizer_files(model, max_length=max_length)
  found = tokenizers.Tokenizer.from_str(files['tokenizer.json'])
  settings = json.loads(files['tokenizer_config.json'])
  found.encode_special_tokens = settings['split_special_tokens']
  found.enable_truncation(settings['model_max_length'])
  return found


def assert_same_ids(tokenizer, texts, max_length=4096):
  ours = [tokenizer.cut(ids, max_length) for ids in tokenizer.encode(texts)]
  theirs = library(tokenizer.path, max_length).encode_batch(texts)
  for text, ids, encoding in zip(texts, ours, theirs, strict=True):
    assert encoding.ids == ids, repr(text)


@pytest.fixture
def trained(data_folder, golden):
  """Returns a tokenizer with prompts as pieces, one within another."""
  with (golden / 'pairs.jsonl').open(encoding='utf-8') as lines:
    rows = [json.loads(line) for line in lines]
  texts = [row[side] for row in rows for side in ('query', 'positive')]
  config = TokenizerConfig(name='trained', vocabulary=800)
  return train_tokenizer(config, texts, tasks=['pairs'], prompts=PROMPTS)


@pytest.fixture(params=['golden', 'trained'])
def either(request, tokenizer):
  if request.param == 'golden':
    return tokenizer
  return request.getfixturevalue('trained')


def test_languages_code_and_odd_texts_have_the_same_ids(either, golden):
  with (golden / 'pairs.jsonl').open(encoding='utf-8') as lines:
    rows = [json.loads(line) for line in lines]
  texts = [row[side] for row in rows for side in ('query', 'positive')]
  assert_same_ids(either, [*ODD, *texts])


def test_runs_of_spaces_and_lines_of_any_length_have_the_same_ids(either):
  runs = [c * n for c in (' ', '\n', '\t', 'a', '=') for n in range(1, 90)]
  assert_same_ids(either, [*runs, *(f'x{run}y' for run in runs)])


@pytest.mark.parametrize(
  'alphabet',
  ['ab ', ' \n\t', 'aeinrst ,.', '0123456789 .', 'titlenoexk:| ▁', None],
)
def test_random_texts_have_the_same_ids(alphabet, either):
  assert_same_ids(either, fuzz(alphabet))


def test_every_prompt_is_its_piece_wherever_it_stands(trained):
  texts = [
    f'{before}{prompt}{after}'
    for prompt in PROMPTS
    for before in ('', ' ', 'x', 'title', PROMPTS[0], PROMPTS[1][:-1])
    for after in ('', ' ', 'x', 'title: none', PROMPTS[1])
  ]
  assert_same_ids(trained, texts)
  assert len(library(trained.path).encode(PROMPTS[0] + PROMPTS[1]).ids) == 4


@pytest.mark.parametrize('max_length', [3, 8, 30])
def test_long_texts_are_cut_alike(max_length, either):
  texts = ['the key ' * n + 'é' for n in range(20)]
  assert_same_ids(either, [*ODD, *texts], max_length)


def test_ids_become_the_text_again(either):
  found = library(either.path)
  for text in ODD:
    if '▁' not in text:
      ids = found.encode(text, add_special_tokens=False).ids
      assert found.decode(ids, skip_special_tokens=False) == text


def test_the_settings_are_those_of_training(tokenizer):
  files = tokenizer_files(tokenizer.path, max_length=77)
  settings = json.loads(files['tokenizer_config.json'])
  assert settings['model_max_length'] == 77
  assert settings['padding_side'] == settings['truncation_side'] == 'right'
  names = json.loads(files['special_tokens_map.json'])
  assert names == {
    'pad_token': '<pad>',
    'eos_token': '<eos>',
    'bos_token': '<bos>',
    'unk_token': '<unk>',
  }
  assert names.items() <= settings.items()


GEMMA = {
  'model_type': 'bpe',
  'byte_fallback': True,
  'normalization_rule_name': 'identity',
  'add_dummy_prefix': False,
  'remove_extra_whitespaces': False,
}


@pytest.mark.parametrize(
  ('change', 'problem'),
  [
    ({'model_type': 'unigram'}, 'is no byte-pair model'),
    ({'byte_fallback': False}, 'has no byte fallback'),
    ({'normalization_rule_name': 'nmt_nfkc'}, 'normalises texts'),
    ({'add_dummy_prefix': True}, 'adds a space before texts'),
    ({'remove_extra_whitespaces': True}, 'removes spaces'),
    (
      {'byte_fallback': False, 'remove_extra_whitespaces': True},
      'has no byte fallback and removes spaces',
    ),
  ],
)
def test_a_model_that_would_change_texts_is_refused(tmp_path, change, problem):
  model = io.BytesIO()
  sentencepiece.SentencePieceTrainer.train(
    sentence_iterator=iter([f'add {n} to it' for n in range(50)]),
    model_writer=model,
    vocab_size=290 if change.get('byte_fallback', True) else 30,
    hard_vocab_limit=False,
    pad_id=0,
    eos_id=1,
    bos_id=2,
    unk_id=3,
    minloglevel=2,
    **{**GEMMA, **change},
  )
  path = tmp_path / 'a.model'
  path.write_bytes(model.getvalue())
  assert Tokenizer(path).vocabulary > 20  # gemb can use it
  with pytest.raises(ValueError, match=f'a.model {problem}, so it cannot'):
    tokenizer_files(path, max_length=8)
