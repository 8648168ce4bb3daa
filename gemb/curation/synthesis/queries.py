"""Queries for passages, in the manner of Gecko's FRet.

Source: Gecko (arXiv:2403.20327), section 3.1; Gemini Embedding
(arXiv:2503.07891), section 4.2. The model reads a passage and writes the kind
of search and its words; an auto-rater drops what nobody would search by. Unlike
FRet, the passage that was read stays the positive: another one that answers as
well is for mining and scoring to find.
"""

import heapq
import pathlib

from gemb.curation import prompts
from gemb.curation.config import SynthesisConfig
from gemb.curation.language_model import LanguageModel
from gemb.curation.synthesis.writing import Kind, Row, write
from gemb.data import examples
from gemb.data.examples import Example
from gemb.data.records import text_id

_PROMPT, _RATING = 'query_v1', 'query_rating_v1'
_SHOWN = 600  # characters of a passage; DecoderModel.longest holds no more
_LONGEST = 160  # characters of a query
_MAX_TOKENS = 64


def write_queries(
  config: SynthesisConfig,
  model: LanguageModel,
  task: str,
  folder: pathlib.Path,
) -> None:
  """Writes queries for passages of a task.

  Raises:
    FileNotFoundError: if `gemb cache` has not made the task's texts.
    OSError: if the folder cannot be written.
    ValueError: if it holds other work, or the texts are damaged.
  """
  write(
    _kind(task, config.min_rating),
    [
      _draft(example, config.seed, model)
      for example in draw_passages(task, most=config.most, seed=config.seed)
    ],
    model=model,
    temperature=config.temperature,
    folder=folder,
    about={
      'kind': 'synthetic',
      'task': task,
      'texts': examples.texts_sha256(task),
      'prompts': [_PROMPT, _RATING],
      'model': model.identity,
      'most': config.most,
      'seed': config.seed,
      'temperature': config.temperature,
      'min_rating': config.min_rating,
    },
  )


def draw_passages(task: str, *, most: int, seed: int) -> list[Example]:
  """Returns examples with different positives, drawn by a hash of these.

  No more than twice as many are held as are drawn.

  Args:
    task: whose texts are drawn from.
    most: that are drawn.
    seed: of the hash.
  """
  drawn: dict[int, Example] = {}
  for example in examples.read_texts(task):
    if example.positive.strip():
      drawn.setdefault(text_id(f'{seed}/{example.positive}'), example)
    if len(drawn) >= 2 * most:
      drawn = dict(heapq.nsmallest(most, drawn.items()))
  return [example for _, example in heapq.nsmallest(most, drawn.items())]


def read_query(line: str) -> Row | None:
  """Returns the kind of search and the query of an answer's line.

  >>> read_query('fact checking | orchids bloom in June')
  {'query': 'orchids bloom in June', 'search': 'fact checking'}
  """
  search, *queries = (part.strip() for part in line.split('|'))
  if not search or len(queries) != 1:
    return None
  return {'query': queries[0], 'search': search}


def _draft(example: Example, seed: int, model: LanguageModel) -> Row:
  return {
    'id': example.id,
    'language': example.language,
    'query': '',
    'positive': example.positive,
    'search': '',
    'model': model.identity,
    'prompt': [_PROMPT, _RATING],
    'seed': text_id(f'{seed}/{example.id}') % 2**31,
    'rating': None,
  }


def _kind(task: str, min_rating: float) -> Kind:
  asking, rating = prompts.load(_PROMPT), prompts.load(_RATING)
  return Kind(
    name=task,
    ask=lambda row: asking.fill(
      language=row['language'], passage=_shown(row['positive'])
    ),
    read=read_query,
    rate=lambda row: rating.fill(
      passage=_shown(row['positive']), query=row['query']
    ),
    verdicts=(' yes', ' no'),
    wanted=lambda row: ' yes',
    min_rating=min_rating,
    longest=_LONGEST,
    max_tokens=_MAX_TOKENS,
  )


def _shown(passage: str) -> str:
  """Returns the beginning of a passage, on one line as in the prompts."""
  return ' '.join(passage.split())[:_SHOWN]
