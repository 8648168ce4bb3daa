"""Hard negatives out of a task's own passages, by an embedder (`gemb mine`).

Neighbours of a query that its positive is not much nearer than are other
positives as like as not (NV-Retriever, arXiv:2407.15831): a margin excludes
them. So are passages that the task itself gives as answers to the query, and
texts that come twice. What is left is ranked, and of a window of the ranks some
become hard negatives.

For a task there are, in the folder, TASK.passages.npy (`vectors`), the unit
embeddings of its passages, and TASK.mined.jsonl (`candidates.Mined`), a row for
each example, in the order of its texts. Both grow by blocks, and go on after a
kill. In memory are the places of the passages (`corpus`), and of a block of
queries their similarities to a tile, and to `_MOST` neighbours.
"""

import dataclasses
import itertools
import json
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tqdm
from jaxtyping import Bool, Float32, Int64

from gemb.axes import Layout
from gemb.curation.approximate import ApproximateSearch
from gemb.curation.candidates import Candidate, Mined, to_row
from gemb.curation.config import MiningConfig
from gemb.curation.corpus import Corpus
from gemb.curation.journal import Journal, hold
from gemb.curation.neighbours import (
  ExactSearch,
  Found,
  Neighbours,
  cosines,
)
from gemb.curation.vectors import make_vectors
from gemb.data import choice, examples
from gemb.data.examples import Example
from gemb.prompts import Prompt

Embed = Callable[[Sequence[str]], Float32[np.ndarray, 'X M']]

_FEWEST = 32  # neighbours that are looked at first, of each query
_MOST = 1024  # that are looked at until the window is full
_MORE = 4  # times as many, each time that it is not
_SAMPLE = 256  # queries that the recall of an approximate search is measured on
_PASSAGES = 4096  # that are embedded, and then on disk
# What changes nothing of what is found.
_OF_THE_MACHINE = ('tile', 'queries', 'mesh')


@dataclasses.dataclass(frozen=True, kw_only=True)
class Miner:
  """A trained embedder, as mining uses it.

  Attributes:
    embed: dressed texts -> unit embeddings of its last prefix.
    width: M, of these.
    layout: of the mesh that passages are shared by.
    identity: what tells it from others, as JSON.
  """

  embed: Embed
  width: int
  layout: Layout
  identity: Mapping[str, Any]


def mine(
  config: MiningConfig,
  task: str,
  prompt: Prompt,
  folder: pathlib.Path,
  miner: Miner,
) -> None:
  """Finds the hard negatives of one task, or the rest of them.

  Args:
    config: of mining.
    task: whose texts `gemb cache` has made.
    prompt: that the miner was trained with for it.
    folder: to write, or to go on with.
    miner: that tells what is near.

  Raises:
    FileNotFoundError: if the texts have not been made.
    OSError: if the folder cannot be written.
    ValueError: if an id comes twice, the folder holds other work, another
      process works there, or embeddings are of no use.
  """
  path = folder / f'{task}.mined.jsonl'
  with hold(path):
    journal = Journal(path, _about(config, task, prompt, miner))
    if journal.finished:
      print(f'{task}: {journal.done:,} examples are mined in {path}')
      return
    corpus = Corpus(task)
    made_by = {'miner': miner.identity, 'texts': examples.texts_sha256(task)}
    vectors = make_vectors(
      folder / f'{task}.passages.npy',
      {'task': task, 'prompt': prompt.passage, **made_by},
      (len(corpus), miner.width),
      lambda first: _embed_passages(corpus, prompt, miner, first),
    )
    of_task = _Task(config, corpus, prompt, miner, vectors)
    for rows in of_task.blocks(journal.done):
      journal.add(map(to_row, rows))
    journal.finish()
    found = sum(bool(row['negatives']) for row in journal.rows())
    print(
      f'{task}: {found:,} of {journal.done:,} examples have hard negatives, in '
      f'{path}'
    )


def _about(
  config: MiningConfig, task: str, prompt: Prompt, miner: Miner
) -> dict[str, Any]:
  settings = dataclasses.asdict(config)
  return {
    'kind': 'mined',
    'task': task,
    'texts': examples.texts_sha256(task),
    'prompt': [prompt.query, prompt.passage],
    'miner': dict(miner.identity),
    **{k: v for k, v in settings.items() if k not in _OF_THE_MACHINE},
  }


def _embed_passages(
  corpus: Corpus, prompt: Prompt, miner: Miner, first: int
) -> Iterator[Float32[np.ndarray, 'b M']]:
  bar = tqdm.tqdm(
    corpus.texts(first),
    desc=f'{corpus.task}, passages',
    total=len(corpus),
    initial=first,
    unit=' texts',
    disable=None,
  )
  texts = map(prompt.dress_passage, bar)
  while block := list(itertools.islice(texts, _PASSAGES)):
    yield miner.embed(block)


class _Task:
  """A task whose passages are embedded, block by block of its examples."""

  def __init__(
    self,
    config: MiningConfig,
    corpus: Corpus,
    prompt: Prompt,
    miner: Miner,
    vectors: Float32[np.ndarray, 'n M'],
  ):
    self._config = config
    self._corpus = corpus
    self._prompt = prompt
    self._miner = miner
    self._vectors = vectors
    self._neighbours = self._open_search()

  def blocks(self, first: int) -> Iterator[list[Mined]]:
    """Yields the rows of the examples from a number on."""
    stream = self._corpus.examples(first)
    bar = tqdm.tqdm(
      desc=f'{self._corpus.task}, queries',
      total=len(self._corpus.positives),
      initial=first,
      unit=' examples',
      disable=None,
    )
    with bar:
      while block := list(itertools.islice(stream, self._config.queries)):
        yield self._rows(block, np.arange(first, first + len(block)))
        first += len(block)
        bar.update(len(block))

  def _open_search(self) -> Neighbours:
    config, vectors = self._config, self._vectors
    exact = ExactSearch(
      vectors, self._miner.layout, tile=config.tile, queries=config.queries
    )
    if config.search == 'exact':
      return exact
    found = ApproximateSearch(vectors, seed=config.seed)
    # The first, whichever are mined already: a run that goes on searches as
    # it did before.
    sample = self._embed(itertools.islice(self._corpus.examples(0), _SAMPLE))
    found.tune(sample, config.ranks[1], exact)
    print(
      f'{self._corpus.task}: {found.looked} of {found.cells} cells are looked '
      f'into, which hold {found.recall:.1%} of the {config.ranks[1]} nearest '
      f'passages of {len(sample)} queries'
    )
    return found

  def _embed(self, block) -> Float32[np.ndarray, 'q M']:
    dress = self._prompt.dress_query
    return self._miner.embed([dress(example.query) for example in block])

  def _rows(
    self, block: Sequence[Example], numbers: Int64[np.ndarray, 'q']
  ) -> list[Mined]:
    queries = self._embed(block)
    own = self._vectors[self._corpus.positives[numbers]]
    positives = cosines(queries, own[:, None])[:, 0]
    windows = self._windows(queries, numbers, positives)
    return [
      self._row(example, float(positive), window)
      for example, positive, window in zip(
        block, positives, windows, strict=True
      )
    ]

  def _windows(
    self,
    queries: Float32[np.ndarray, 'q M'],
    numbers: Int64[np.ndarray, 'q'],
    positives: Float32[np.ndarray, 'q'],
  ) -> list[list[tuple[int, float]]]:
    """Returns the passages in each query's window, with their cosines."""
    windows: list[list[tuple[int, float]]] = [[] for _ in numbers]
    most = min(len(self._corpus), max(_MOST, self._config.ranks[1]))
    rows, k = np.arange(len(numbers)), max(_FEWEST, self._config.ranks[1])
    while rows.size:
      k = min(k, most)
      found = self._neighbours.search(queries[rows], k)
      allowed = self._allowed(found, numbers[rows], positives[rows])
      for row, *of_row in zip(rows.tolist(), *found, allowed, strict=True):
        windows[row] = self._window(*of_row)
      if k == most:
        break
      short = [len(windows[row]) < self._config.window for row in rows]
      rows, k = rows[short], _MORE * k
    return windows

  def _allowed(
    self,
    found: Found,
    numbers: Int64[np.ndarray, 'q'],
    positives: Float32[np.ndarray, 'q'],
  ) -> Bool[np.ndarray, 'q k']:
    """Returns which neighbours are there, and not excluded."""
    allowed = found.number >= 0
    if self._config.margin is not None:
      # In float64: one near the edge falls on the same side everywhere.
      ceiling = self._config.margin * positives.astype(np.float64)
      allowed &= found.similarity <= ceiling[:, None]
    return allowed & ~self._corpus.answers(numbers, found.number)

  def _window(
    self,
    number: Int64[np.ndarray, 'k'],
    similarity: Float32[np.ndarray, 'k'],
    allowed: Bool[np.ndarray, 'k'],
  ) -> list[tuple[int, float]]:
    """Returns the ranks that are wanted, each text counted once."""
    first, last = self._config.ranks
    seen, ranked = set(), []
    for place in np.flatnonzero(allowed):
      key = self._corpus.key(int(number[place]))
      if key not in seen:
        seen.add(key)
        ranked.append((int(number[place]), float(similarity[place])))
      if len(ranked) == last:
        break
    return ranked[first - 1 :]

  def _row(
    self, example: Example, positive: float, window: list[tuple[int, float]]
  ) -> Mined:
    candidates = tuple(
      Candidate(text=self._corpus.text(number), similarity=_rounded(cosine))
      for number, cosine in window
    )
    return Mined(
      id=example.id,
      language=example.language,
      query=example.query,
      positive=Candidate(text=example.positive, similarity=_rounded(positive)),
      candidates=candidates,
      negatives=tuple(
        candidates[place].text
        for place in choose(self._config, example.id, len(candidates))
      ),
    )


def choose(config: MiningConfig, name: str, count: int) -> list[int]:
  """Returns which of a window's passages become hard negatives.

  Args:
    config: tells how many, and how.
    name: id of the example.
    count: passages in the window, the nearest first.
  """
  if config.choice == 'nearest':
    return list(range(min(config.negatives, count)))
  places = choice.numbers(json.dumps([config.seed, name]), count)
  return list(itertools.islice(places, config.negatives))


def _rounded(cosine: float) -> float:
  return round(cosine, 6)
