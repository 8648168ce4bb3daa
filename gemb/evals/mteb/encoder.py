"""A gemb encoder as MTEB asks for one: texts dressed by type of task."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from gemb import prompts as prompts_lib
from gemb.encode import Encoder
from gemb.evals.retrieval import truncate

# A task string of gemb.prompts, or two templates, by task or type of task.
Overrides = Mapping[str, str | tuple[str, str]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class MtebEncoder:
  """One prefix of an encoder; what mteb calls an `EncoderProtocol`.

  Attributes:
    embed: (dressed texts, name of the task) -> embeddings, of any length.
    prefix: M, the dimensions in use.
    overrides: prompts of single tasks or types, before `BY_MTEB_TYPE`.
    mteb_model_meta: name, revision and settings (`mteb.models.ModelMeta`).
  """

  embed: Callable[[Sequence[str], str], np.ndarray]
  prefix: int
  overrides: Overrides
  mteb_model_meta: Any

  def encode(
    self,
    inputs: Iterable[Mapping[str, Sequence[str]]],
    *,
    task_metadata: Any,
    prompt_type: str | None = None,
    **_: Any,
  ) -> Float[np.ndarray, 'X M']:
    """Returns unit vectors of the texts in mteb's batches, in order.

    Raises:
      ValueError: if there is no prompt for the task.
    """
    prompt = find_prompt(task_metadata, self.overrides)
    texts: list[str] = []
    for batch in inputs:
      if prompt_type == 'document':
        # `text` would be title and body in one.
        bodies = batch.get('body', batch['text'])
        titles = batch.get('title', [''] * len(bodies))
        texts.extend(map(prompt.dress_passage, bodies, titles))
      else:
        texts.extend(map(prompt.dress_query, batch['text']))
    return truncate(self.embed(texts, task_metadata.name), self.prefix)

  def similarity(self, a: Any, b: Any) -> Any:
    """Returns the cosine of each row of a with each of b, as a tensor."""
    from mteb.similarity_functions import cos_sim

    return cos_sim(a, b)

  def similarity_pairwise(self, a: Any, b: Any) -> Any:
    """Returns the cosine of each row of a with the same row of b."""
    from mteb.similarity_functions import pairwise_cos_sim

    return pairwise_cos_sim(a, b)


def make_mteb_encoders(
  encoder: Encoder,
  prefixes: Sequence[int],
  *,
  name: str,
  revision: str,
  overrides: Overrides,
) -> dict[int, MtebEncoder]:
  """Returns an encoder for each prefix; together they embed a text once.

  Args:
    encoder: embeds.
    prefixes: M, of each encoder.
    name: of the model, in mteb's form 'organisation/model'.
    revision: of the model; a folder of results has this name.
    overrides: prompts of single tasks or types.

  Raises:
    ValueError: if a prefix is not between 1 and the embedding's width.
  """
  for prefix in prefixes:
    truncate(encoder.encode([]), prefix)  # refuses now, and not in an hour
  embed = (
    _Memory(encoder.encode)
    if len(prefixes) > 1
    else lambda texts, _: encoder.encode(texts)
  )
  return {
    prefix: MtebEncoder(
      embed=embed,
      prefix=prefix,
      overrides=overrides,
      mteb_model_meta=make_meta(
        name,
        revision,
        prefix=prefix,
        tokens=encoder.lengths[-1],
        overrides=overrides,
      ),
    )
    for prefix in prefixes
  }


def make_meta(
  name: str, revision: str, *, prefix: int, tokens: int, overrides: Overrides
) -> Any:
  """Returns what mteb files results under: a folder for each setting."""
  from mteb.models.model_meta import ModelMeta, ScoringFunction

  settings: dict[str, Any] = {'prefix': prefix, 'tokens': tokens}
  if overrides:
    settings['prompts'] = dict(overrides)
  return ModelMeta.create_empty(
    {
      'name': name,
      'revision': revision,
      'embed_dim': prefix,
      'max_tokens': tokens,
      'similarity_fn_name': ScoringFunction.COSINE,
      'use_instructions': True,
      'experiment_kwargs': settings,
    }
  )


def find_prompt(task_metadata: Any, overrides: Overrides) -> prompts_lib.Prompt:
  """Returns the prompt of a task: its own, that of its type, or the family's.

  Raises:
    ValueError: if there is none, or an override is not valid.
  """
  name, kind = task_metadata.name, task_metadata.type
  for key in (name, kind):
    if key in overrides:
      return prompts_lib.make_prompt(overrides[key])
  if kind not in prompts_lib.BY_MTEB_TYPE:
    raise ValueError(
      f'No prompt is known for the task {name}, which is of type {kind}; give '
      'one for the task or its type.'
    )
  task = prompts_lib.BY_MTEB_TYPE[kind]
  if task == 'search result' and 'Programming' in (task_metadata.domains or ()):
    task = 'code retrieval'
  return prompts_lib.make_prompt(task)


class _Memory:
  """Remembers the embeddings of the task at hand, for the next prefix."""

  def __init__(self, embed: Callable[[Sequence[str]], np.ndarray]):
    self._embed = embed
    self._task = ''
    self._rows: dict[str, np.ndarray] = {}

  def __call__(self, texts: Sequence[str], task: str) -> np.ndarray:
    if task != self._task:
      self._task, self._rows = task, {}
    new = [text for text in dict.fromkeys(texts) if text not in self._rows]
    self._rows.update(zip(new, self._embed(new), strict=True))
    return np.stack([self._rows[text] for text in texts])
