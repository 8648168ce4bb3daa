"""What a run trains on: tasks and their rates, prompts, tokenizer, batches."""

import dataclasses
import difflib

from gemb import prompts as prompts_lib


@dataclasses.dataclass(frozen=True, kw_only=True)
class TokenizerConfig:
  """A SentencePiece model: one's own, or one trained on the training tasks.

  In a trained one each prompt of the run's tasks is a single piece. One that
  was trained before is used again, whatever tasks it was trained on: sweeps
  over tasks and rates so compare like with like.

  Attributes:
    path: of any SentencePiece `.model`, as it is or within the data folder;
      None: train one.
    name: of the trained one, its folder under tokenizers/ in the data folder.
    vocabulary: pieces of the trained one.
    texts: most texts it is trained on, drawn evenly.
  """

  path: str | None = None
  name: str = 'quickstart'
  vocabulary: int = 16384
  texts: int = 200_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataConfig:
  """Everything that the batch of a step depends on, with the step and seed.

  Attributes:
    name: of the mixture; seqio knows it by this.
    rates: {seqio Task: rate}; of every 1,000 batches each task gets its
      share, exactly.
    prompts: {seqio Task: a task string of gemb.prompts, or two templates}.
    tokenizer: of all tasks.
    batch_size: B, examples in a global batch.
    shapes: (query, passage) lengths in tokens that batches are padded to. A
      batch takes the first that its longest texts fit into, so order them by
      cost; the last must be the longest on both sides, and cuts what is longer
      still. The train step is compiled once for each shape in use.
    hard_negatives: R, taken from each example, which may have fewer.
    window: batches whose examples are drawn together and then sorted by
      length, so that little is padding; 1: no sorting.
    held_out: seqio Tasks for evaluation; training examples that share a text
      with them are dropped.
    modules: Python modules to import that register more seqio Tasks.
  """

  name: str
  rates: dict[str, float]
  prompts: dict[str, str | tuple[str, str]]
  tokenizer: TokenizerConfig
  batch_size: int
  shapes: tuple[tuple[int, int], ...]
  hard_negatives: int = 0
  window: int = 16
  held_out: tuple[str, ...] = ()
  modules: tuple[str, ...] = ()

  def __post_init__(self):
    for name in ('batch_size', 'window'):
      if getattr(self, name) < 1:
        raise ValueError(
          f'DataConfig.{name} is {getattr(self, name)}; it must be at least 1.'
        )
    if self.hard_negatives < 0:
      raise ValueError(
        f'DataConfig.hard_negatives is {self.hard_negatives}; it must not be '
        'negative.'
      )
    self._check_shapes()
    if not self.rates or min(self.rates.values()) <= 0:
      raise ValueError(
        f'DataConfig.rates is {self.rates}; give at least one task, each with '
        'a rate greater than 0.'
      )
    if both := sorted(set(self.rates) & set(self.held_out)):
      raise ValueError(
        f'Tasks {both} are both trained on (DataConfig.rates) and held out '
        '(DataConfig.held_out); remove them from one.'
      )
    for task in (*self.rates, *self.held_out):
      self.prompt(task)

  @property
  def lengths(self) -> tuple[int, ...]:
    """All padded lengths in tokens, ascending."""
    return tuple(sorted({length for shape in self.shapes for length in shape}))

  def prompt(self, task: str) -> prompts_lib.Prompt:
    """Returns the templates of a task.

    Raises:
      ValueError: if none was configured, or it is not valid.
    """
    if task not in self.prompts:
      near = difflib.get_close_matches(task, self.prompts, n=2, cutoff=0)
      raise ValueError(
        f'DataConfig.prompts has no prompt for task {task!r}; it has some for '
        f"{near}. Add one, such as 'search result'."
      )
    return prompts_lib.make_prompt(self.prompts[task])

  def _check_shapes(self) -> None:
    longest = tuple(map(max, zip(*self.shapes, strict=True)))
    if not self.shapes or self.shapes[-1] != longest:
      raise ValueError(
        f'DataConfig.shapes is {self.shapes}; its last (query, passage) must '
        'be the longest on both sides, as in ((16, 16), (16, 64), (64, 64)).'
      )
    if self.lengths[0] < 3:
      raise ValueError(
        f'DataConfig.shapes has a length of {self.lengths[0]}; a text takes a '
        'beginning, an end and at least one token between.'
      )
