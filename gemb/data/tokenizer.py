"""SentencePiece: texts to token ids, and training a small model."""

import hashlib
import io
import json
import os
import pathlib
from collections.abc import Iterable, Sequence

import numpy as np
import sentencepiece
from jaxtyping import Int32

from gemb import files
from gemb.data import weights
from gemb.data.archives import data_dir
from gemb.data.config import TokenizerConfig

TokenIds = Sequence[int] | Int32[np.ndarray, '_']  # of one text

# Gemma's options. Byte fallback: no text is unknown. No pieces of more than
# one script, digit or space run are forced, and nothing is normalised, so that
# code and translations survive the round trip.
_GEMMA_OPTIONS = {
  'model_type': 'bpe',
  'byte_fallback': True,
  'split_digits': True,
  'normalization_rule_name': 'identity',
  'add_dummy_prefix': False,
  'remove_extra_whitespaces': False,
  'allow_whitespace_only_pieces': True,
  'character_coverage': 0.9998,
  'max_sentence_length': 8192,  # bytes
  'pad_id': 0,
  'eos_id': 1,
  'bos_id': 2,
  'unk_id': 3,
  'pad_piece': '<pad>',
  'eos_piece': '<eos>',
  'bos_piece': '<bos>',
  'unk_piece': '<unk>',
}
_SPACE = '\N{LOWER ONE EIGHTH BLOCK}'  # SentencePiece's letter for a space


class Tokenizer:
  """A SentencePiece model with Gemma's convention <bos> text <eos>.

  Attributes:
    path: of the `.model` file.
    sha256: of its bytes; what a cache or checkpoint is matched by.
    vocabulary: its number of pieces.
    eos: the id that ends a text.
  """

  def __init__(self, path: str | os.PathLike):
    """Loads a model.

    Raises:
      FileNotFoundError: if it is not there.
      ValueError: if it is no SentencePiece model, or lacks <bos>, <eos> or a
        <pad> with id 0.
    """
    self.path = pathlib.Path(path)
    if not self.path.is_file():
      raise FileNotFoundError(
        f'There is no tokenizer at {self.path}; check TokenizerConfig.path, '
        'or run `gemb cache` to train one.'
      )
    content = self.path.read_bytes()
    self.sha256 = hashlib.sha256(content).hexdigest()
    try:
      self._model = sentencepiece.SentencePieceProcessor(model_proto=content)
    except RuntimeError as error:
      raise ValueError(
        f'{self.path} is not a SentencePiece model ({error}); give a file '
        'ending in .model.'
      ) from error
    self.vocabulary = self._model.vocab_size()
    self._bos, self.eos = self._model.bos_id(), self._model.eos_id()
    if self._model.pad_id() != 0 or min(self._bos, self.eos) < 0:
      raise ValueError(
        f'{self.path} has pad, eos, bos = {self._model.pad_id()}, '
        f'{self.eos}, {self._bos}; gemb needs pad = 0 and both others, as '
        "Gemma's tokenizers have."
      )

  def encode(
    self, texts: Sequence[str], *, threads: int | None = None
  ) -> list[list[int]]:
    """Returns <bos> text <eos> as ids, not cut; None: a thread a core."""
    threads = threads or os.cpu_count() or 1
    ids = self._model.encode(list(texts), num_threads=threads)
    return [[self._bos, *text, self.eos] for text in ids]

  def decode(self, ids: TokenIds) -> str:
    """Returns the text of ids; <pad>, <bos> and <eos> are silent."""
    return self._model.decode([int(i) for i in ids])

  def cut(self, ids: TokenIds, length: int) -> list[int]:
    """Returns at most `length` ids, the last of them <eos>."""
    ids = ids.tolist() if isinstance(ids, np.ndarray) else list(ids)
    return ids if len(ids) <= length else [*ids[: length - 1], self.eos]


def tokenizer_path(config: TokenizerConfig) -> pathlib.Path:
  """Returns where the model lies, or will once it is trained.

  Raises:
    FileNotFoundError: it belongs to weights that have not been fetched.
  """
  if config.path is not None:
    return weights.find(config.path)
  return data_dir() / 'tokenizers' / config.name / 'tokenizer.model'


def load_tokenizer(config: TokenizerConfig) -> Tokenizer:
  """Loads the configured tokenizer.

  Raises:
    FileNotFoundError: if it, or the weights it belongs to, are not there.
    ValueError: if it was trained with other settings, or has changed since.
  """
  tokenizer = Tokenizer(tokenizer_path(config))
  if config.path is None:
    _check_recipe(tokenizer, config)
  return tokenizer


def train_tokenizer(
  config: TokenizerConfig,
  texts: Iterable[str],
  *,
  tasks: Sequence[str],
  prompts: Sequence[str],
) -> Tokenizer:
  """Trains a byte-pair model with Gemma's options, and keeps it.

  Args:
    config: its name and vocabulary.
    texts: what it is trained on, without prompts.
    tasks: where the texts come from, noted beside the model.
    prompts: strings that become one piece each. A prompt is the same in every
      text of a task; spelt out it would be half the tokens of a short one.

  Raises:
    ValueError: if the texts are too few for the vocabulary.
  """
  model = io.BytesIO()
  try:
    sentencepiece.SentencePieceTrainer.train(
      sentence_iterator=iter(texts),
      model_writer=model,
      vocab_size=config.vocabulary,
      user_defined_symbols=[p.replace(' ', _SPACE) for p in prompts],
      num_threads=os.cpu_count() or 1,
      minloglevel=2,
      **_GEMMA_OPTIONS,
    )
  except RuntimeError as error:
    raise ValueError(
      f'A tokenizer of {config.vocabulary} pieces cannot be trained on '
      f'{", ".join(tasks)}: {error}. Lower TokenizerConfig.vocabulary or add '
      'texts.'
    ) from error
  path = tokenizer_path(config)
  recipe = {
    'vocabulary': config.vocabulary,
    'texts': config.texts,
    'tasks': sorted(tasks),
    'rates': config.rates,
    'prompts': sorted(prompts),
    'sha256': hashlib.sha256(model.getvalue()).hexdigest(),
    'sentencepiece': sentencepiece.__version__,
  }
  # The recipe first: a model without one is taken for a half-made one.
  files.write_file(_recipe_path(path), json.dumps(recipe, indent=2))
  files.write_file(path, model.getvalue())
  return load_tokenizer(config)


def _check_recipe(tokenizer: Tokenizer, config: TokenizerConfig) -> None:
  recipe = json.loads(_recipe_path(tokenizer.path).read_text())
  if recipe['sha256'] != tokenizer.sha256:
    raise ValueError(
      f'{tokenizer.path} has changed since it was trained: sha256 '
      f'{tokenizer.sha256[:12]}, expected {recipe["sha256"][:12]}. Delete its '
      'folder to train it anew, or name it in TokenizerConfig.path.'
    )
  made = recipe['vocabulary'], recipe['texts']
  if made != (config.vocabulary, config.texts):
    raise ValueError(
      f'Tokenizer {config.name!r} at {tokenizer.path} has vocabulary, texts = '
      f'{made}; this run wants {(config.vocabulary, config.texts)}. Choose '
      'another TokenizerConfig.name.'
    )
  if config.rates and recipe.get('rates') != config.rates:
    raise ValueError(
      f'Tokenizer {config.name!r} at {tokenizer.path} was trained on '
      f'{recipe.get("rates") or recipe["tasks"]}; TokenizerConfig.rates is '
      f'{config.rates}. Choose another TokenizerConfig.name.'
    )


def _recipe_path(model_path: pathlib.Path) -> pathlib.Path:
  return model_path.with_name('recipe.json')
