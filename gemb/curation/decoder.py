"""A Gemma decoder on gemb's own devices, as curation's language model.

A prompt and what may follow it are cut into tokens apart, and joined: so a
context is the same tokens before every text, and a text after every context.
"""

import hashlib
import pathlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Float, Int32

from gemb import axes, encode
from gemb.axes import Layout
from gemb.curation import batching
from gemb.curation.batching import (
  Call,
  Request,
  drop_middle,
  shared_beginning,
)
from gemb.curation.config import DecoderModel
from gemb.curation.language_model import end_at
from gemb.data import weights
from gemb.data.tokenizer import Tokenizer
from gemb.model import from_decoder
from gemb.model.decoder import make_decoder
from gemb.model.embedder import Params, make_embedder
from gemb.model.generation import Generator
from gemb.train.state import abstract_params

# Tokens in a call on a CPU, as of gemb.encode, and for its reason.
_CPU_TOKENS = 1024
# Tokens that are written before it is looked whether all answers have ended.
_BLOCK = 8
_SHORTEST = 8  # tokens of a padded prompt or text
_HASHED = 1 << 20  # bytes of each file that tell weights from others


class OwnDecoder:
  """A language model (`gemb.curation.language_model`) of gemb's own.

  Attributes:
    identity: tells its answers from those of other weights and settings.
  """

  def __init__(
    self,
    config: DecoderModel,
    params: Params,
    tokenizer: Tokenizer,
    layout: Layout,
    identity: dict[str, Any],
  ):
    """Builds it; compiles nothing yet. For the arguments see `open_decoder`."""
    self.identity = identity
    self._config = config
    self._params = params
    self._tokenizer = tokenizer
    self._layout = layout
    decoder = make_decoder(config.model.encoder)
    generator = Generator(config.model.encoder, tokenizer.vocabulary)
    self._likelihoods = self._compiled(decoder.likelihoods, 3)
    self._choose = self._compiled(generator.choose)
    self._read = jax.jit(generator.read, static_argnums=2)
    self._write = jax.jit(
      generator.write, static_argnums=(3, 4), donate_argnums=1
    )

  def likelihoods(
    self, contexts: Sequence[str], texts: Sequence[str]
  ) -> Float[np.ndarray, 'n']:
    """Returns log p(text | context), summed over the text's tokens, in nats.

    Of a text the first half of `longest` tokens count at most; of a context
    that leaves too little room for it the middle is dropped. A text without
    tokens has 0.

    Raises:
      ValueError: if there are not as many of both.
    """
    _check_as_many('contexts', contexts, 'texts', texts)
    most = self._config.longest
    requests = []
    for context, text in zip(
      self._encode(contexts), self._encode(texts), strict=True
    ):
      text = text[1 : 1 + most // 2]  # without <bos>
      context = drop_middle(context, most - len(text))
      requests.append(Request((*context, *text), len(context)))

    def shape(request: Request) -> tuple[int, int]:
      text = len(request.tokens) - request.number
      return self._padded(request), max(_SHORTEST, _power_of_two(text))

    def compute(call: Call, text: int) -> np.ndarray:
      starts = call.numbers.astype(np.int32)
      return np.asarray(
        self._likelihoods(self._params, call.tokens, starts, text)
      )

    return np.array(self._answer(requests, shape, compute), np.float32)

  def choose(
    self, prompts: Sequence[str], labels: Sequence[str]
  ) -> Float[np.ndarray, 'n l']:
    """Returns the log-probability of each label, normalised over the labels.

    Read off the prompt's last token where every label is one token, and what
    all prompts begin with is read once: here a rounding may depend on what else
    is asked. Otherwise each label is a text, whose likelihood is taken.

    Raises:
      ValueError: if there are fewer than two labels, two are the same, or one
        is empty.
    """
    if len(set(labels)) < max(2, len(labels)) or '' in labels:
      raise ValueError(
        f'The labels are {list(labels)}; give two or more, each another, and '
        'none of them empty.'
      )
    rows = [
      drop_middle(ids, self._config.longest) for ids in self._encode(prompts)
    ]
    tokens = [ids[1:] for ids in self._encode(labels)]
    if all(len(label) == 1 for label in tokens) and shared_beginning(rows):
      return self._choose_next(rows, np.array(tokens, np.int32)[:, 0])
    contexts = [prompt for prompt in prompts for _ in labels]
    scores = self.likelihoods(contexts, [*labels] * len(prompts))
    scores = scores.reshape(len(prompts), len(labels))
    return scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)

  def complete(
    self,
    prompts: Sequence[str],
    *,
    seeds: Sequence[int],
    max_tokens: int,
    temperature: float,
    stop: str = '\n',
  ) -> list[str | None]:
    """Returns what continues each prompt, up to <eos>, `stop` or max_tokens.

    The random numbers depend on the prompt's seed and its length.

    Raises:
      ValueError: if there are not as many seeds as prompts, max_tokens is less
        than 1, the temperature is negative, or `stop` is empty.
    """
    _check_as_many('prompts', prompts, 'seeds', seeds)
    if max_tokens < 1 or temperature < 0 or not stop:
      raise ValueError(
        f'max_tokens={max_tokens}, temperature={temperature}, stop={stop!r}: '
        'answers have at least 1 token, the temperature is at least 0, and '
        'something stops them.'
      )
    requests = [
      Request(drop_middle(ids, self._config.longest), seed % 2**32)
      for ids, seed in zip(self._encode(prompts), seeds, strict=True)
    ]

    def shape(request: Request) -> tuple[int]:
      # Two programs a shape, each of which writes for long: fewer shapes.
      length = max(_SHORTEST, _power_of_two(len(request.tokens)))
      return (min(length, self._config.longest),)

    def compute(call: Call) -> list[str]:
      return self._write_answers(call, max_tokens, float(temperature), stop)

    return self._answer(requests, shape, compute)

  def _choose_next(
    self, rows: Sequence[tuple[int, ...]], choices: Int32[np.ndarray, 'l']
  ) -> Float[np.ndarray, 'n l']:
    """Returns the log-probability of each token after each row, among them."""
    beginning = shared_beginning(rows)
    requests = [Request(row[len(beginning) :]) for row in rows]
    # On each shard of the batch once.
    shared = np.tile(
      np.array(beginning, np.int32), (self._layout.shards('batch'), 1)
    )
    with axes.use(self._layout):
      room = max(map(self._padded, requests))
      reading = self._read(self._params, shared, room)

    def compute(call: Call) -> np.ndarray:
      return np.asarray(
        self._choose(self._params, reading, call.tokens, choices)
      )

    answers = self._answer(requests, lambda x: (self._padded(x),), compute)
    return np.array(answers, np.float32)

  def _write_answers(
    self, call: Call, max_tokens: int, temperature: float, stop: str
  ) -> list[str]:
    """Writes blocks of tokens until all answers have ended; returns these."""
    blocks = -(-max_tokens // _BLOCK)
    reading = self._read(self._params, call.tokens, blocks * _BLOCK)
    written = np.zeros((len(call.tokens), 0), np.int32)
    for _ in range(blocks):
      reading, block = self._write(
        self._params, reading, call.numbers, temperature, _BLOCK
      )
      written = np.concatenate([written, np.asarray(block)], axis=1)
      ends = [self._end(row, stop) for row in written[: call.used, :max_tokens]]
      if all(ended for _, ended in ends):
        break
    return [answer for answer, _ in ends]

  def _end(self, row: Int32[np.ndarray, 'L'], stop: str) -> tuple[str, bool]:
    """Returns what an answer's tokens say, and whether it has ended."""
    (ends,) = np.nonzero(row == self._tokenizer.eos)
    text = self._tokenizer.decode(row[: ends[0]] if len(ends) else row)
    return end_at(stop, text), len(ends) > 0 or stop in text.lstrip()

  def _answer(
    self,
    requests: Sequence[Request],
    shape: Callable[[Request], tuple[int, ...]],
    compute: Callable[..., Iterable[Any]],
  ) -> list[Any]:
    with axes.use(self._layout):
      return batching.answer(requests, shape, self._rows, compute)

  def _encode(self, texts: Sequence[str]) -> list[list[int]]:
    """Returns <bos> text, without <eos>, as ids."""
    return [ids[:-1] for ids in self._tokenizer.encode(texts)]

  def _padded(self, request: Request) -> int:
    lengths = encode.lengths_to(self._config.longest)
    return next(rung for rung in lengths if len(request.tokens) <= rung)

  def _rows(self, length: int) -> int:
    shards = self._layout.shards('batch')
    tokens = self._config.rows * self._config.longest // shards
    if jax.default_backend() == 'cpu':
      tokens = min(tokens, _CPU_TOKENS)
    return max(1, tokens // length) * shards

  def _compiled(self, function: Callable, *static: int) -> Callable:
    # Gathered, so that the host can read all of it.
    whole = self._layout.sharding()
    return jax.jit(function, static_argnums=static, out_shardings=whole)


def open_decoder(config: DecoderModel) -> OwnDecoder:
  """Reads the weights onto the devices.

  Raises:
    FileNotFoundError: if weights or tokenizer are not there.
    ValueError: if they do not fit the configuration, or the mesh the devices.
  """
  path = weights.find(config.weights)
  if not path.exists():
    raise FileNotFoundError(
      f'There is no checkpoint at {path}; check DecoderModel.weights.'
    )
  tokenizer = Tokenizer(weights.find(config.tokenizer))
  layout = Layout(axes.make_mesh(config.mesh), config.rules)
  layout.check_divides('batch', config.rows, 'DecoderModel.rows')
  embedder = make_embedder(config.model)
  encode.check_vocabulary(embedder, tokenizer)
  print(f'Reading {path}', flush=True)
  params = from_decoder.load_params(
    from_decoder.open_checkpoint(path, config.model.encoder),
    embedder,
    abstract_params(embedder, layout),
  )
  identity = {
    'weights': path.name,
    'weights_hash': _hash(path),
    'tokenizer': tokenizer.sha256,
    'dtype': config.model.encoder.dtype,
    'longest': config.longest,
  }
  return OwnDecoder(config, params, tokenizer, layout, identity)


def _hash(path: pathlib.Path) -> str:
  """Returns a sha256 of a checkpoint's names, sizes and first bytes."""
  paths = [path] if path.is_file() else sorted(path.rglob('*'))
  digest = hashlib.sha256()
  for file in (each for each in paths if each.is_file()):
    name = file.relative_to(path.parent)
    digest.update(f'{name} {file.stat().st_size}\n'.encode())
    with file.open('rb') as content:
      digest.update(content.read(_HASHED))
  return digest.hexdigest()


def _power_of_two(number: int) -> int:
  """Returns the smallest power of two that is not below, from 1 on."""
  return 1 << max(0, number - 1).bit_length()


def _check_as_many(
  name: str, some: Sequence[Any], other: str, others: Sequence[Any]
) -> None:
  if len(some) != len(others):
    raise ValueError(
      f'There are {len(some)} {name} and {len(others)} {other}; give one for '
      'each.'
    )
