"""What a run trains on: tasks and their rates, prompts, tokenizer, batches."""

import dataclasses
import difflib

from gemb import prompts as prompts_lib
from gemb.data.sources import SourceConfig


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
    rates: {seqio Task: rate} of the tasks that it is trained on; empty: those
      of the run. Runs that name the same ones share one tokenizer, whichever
      of them comes first.
  """

  path: str | None = None
  name: str = 'quickstart'
  vocabulary: int = 16384
  texts: int = 200_000
  rates: dict[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PackingConfig:
  """Several texts in one row, so that hardly anything is padding.

  Attributes:
    row_length: tokens in a row; at least the longest text of `shapes`.
    rungs: most numbers of rows that batches are padded to. They are chosen
      from the lengths of all tasks, so that padding is least; the train step
      is compiled once for each in use.
  """

  row_length: int
  rungs: int = 12

  def __post_init__(self):
    for name in ('row_length', 'rungs'):
      if getattr(self, name) < 1:
        raise ValueError(
          f'PackingConfig.{name} is {getattr(self, name)}; it must be at least '
          '1.'
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataConfig:
  """Everything that the batch of a step depends on, with the step and seed.

  Attributes:
    name: of the mixture; seqio knows it by this.
    rates: {seqio Task: rate}; of every 1,000 batches each task gets its
      share, exactly.
    prompts: {seqio Task: a task string of gemb.prompts, or two templates}; a
      source has its own, unless it is given here.
    tokenizer: of all tasks.
    batch_size: B, examples in a global batch.
    batch_sizes: {seqio Task: B}, of tasks whose batches have another size, as
      Gemini Embedding 2 (arXiv:2605.27295) tunes it for each task. Rates stay
      those of batches. The train step is compiled for each size.
    shapes: (query, passage) lengths in tokens that batches are padded to. A
      batch takes the first that its longest texts fit into, so order them by
      cost; the last must be the longest on both sides, and cuts what is longer
      still. The train step is compiled once for each shape in use.
    hard_negatives: R, taken from each example, which may have fewer: first
      the mined ones, then its own.
    window: batches whose examples are drawn together and then sorted by
      length, so that little is padding; 1: no sorting. With packing they are
      dealt instead, so that each batch has about as many tokens.
    packing: how texts share rows; None: a text a row, padded to `shapes`, of
      which packing takes only the last, where texts are cut.
    mixed: whether each example's task is drawn by rate, for comparison; by
      default all examples of a batch are of one task, as in the report.
    drop_task_string: share of the examples that are read without their task
      string, so that the model also works without (Gemini Embedding 2,
      arXiv:2605.27295, section 3.2).
    mined_negatives: {seqio Task: JSON lines of `id` and `negatives`}, hard
      negatives by the id of the example: one's own, or a TASK.*.jsonl of
      `gemb mine`, `score` or `filter`.
    filtered: {seqio Task: JSON lines of `id`}; the examples that they name are
      dropped, as in a TASK.dropped.jsonl of `gemb filter`.
    held_out: seqio Tasks for evaluation; training examples that share a text
      with them are dropped.
    contaminated: a report of `gemb decontaminate`; the examples that it names
      are dropped.
    teacher: a folder of `gemb teach`: embeddings of all texts by another
      model, from which LossConfig.distillation learns; None: there are none.
    sources: one's own data, each a seqio Task.
    modules: Python modules to import that register more seqio Tasks.
  """

  name: str
  rates: dict[str, float]
  prompts: dict[str, str | tuple[str, str]]
  tokenizer: TokenizerConfig
  batch_size: int
  batch_sizes: dict[str, int] = dataclasses.field(default_factory=dict)
  shapes: tuple[tuple[int, int], ...]
  hard_negatives: int = 0
  window: int = 16
  packing: PackingConfig | None = None
  mixed: bool = False
  drop_task_string: float = 0.0
  mined_negatives: dict[str, str] = dataclasses.field(default_factory=dict)
  filtered: dict[str, str] = dataclasses.field(default_factory=dict)
  held_out: tuple[str, ...] = ()
  contaminated: str | None = None
  teacher: str | None = None
  sources: tuple[SourceConfig, ...] = ()
  modules: tuple[str, ...] = ()

  def __post_init__(self):
    for name, value in {**self.sizes, 'DataConfig.window': self.window}.items():
      if value < 1:
        raise ValueError(f'{name} is {value}; it must be at least 1.')
    if self.mixed and self.batch_sizes:
      raise ValueError(
        f'DataConfig.batch_sizes is {self.batch_sizes}, but with '
        'DataConfig.mixed a batch is of all tasks; leave out one of them.'
      )
    if self.hard_negatives < 0:
      raise ValueError(
        f'DataConfig.hard_negatives is {self.hard_negatives}; it must not be '
        'negative.'
      )
    if not 0 <= self.drop_task_string < 1:
      raise ValueError(
        f'DataConfig.drop_task_string is {self.drop_task_string}; it is the '
        'share of examples without a task string: at least 0, less than 1.'
      )
    self._check_shapes()
    if self.packing and self.packing.row_length < self.lengths[-1]:
      raise ValueError(
        f'PackingConfig.row_length is {self.packing.row_length}, shorter than '
        f'the longest text of DataConfig.shapes, {self.lengths[-1]} tokens; '
        'make rows at least as long.'
      )
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
    names = [source.task for source in self.sources]
    if twice := sorted({name for name in names if names.count(name) > 1}):
      raise ValueError(
        f'DataConfig.sources has more than one source of {twice}; give each a '
        'task name of its own.'
      )
    for task in (*self.rates, *self.held_out, *self.batch_sizes):
      self.prompt(task)

  @property
  def lengths(self) -> tuple[int, ...]:
    """All padded lengths in tokens, ascending."""
    return tuple(sorted({length for shape in self.shapes for length in shape}))

  @property
  def sizes(self) -> dict[str, int]:
    """{setting: B}, the sizes that batches have, by what decides them."""
    return {
      f'DataConfig.batch_sizes[{task!r}]'
      if task in self.batch_sizes
      else 'DataConfig.batch_size': self.batch_size_of(task)
      for task in self.rates
    }

  def batch_size_of(self, task: str) -> int:
    """Returns B of a task's batches."""
    return self.batch_sizes.get(task, self.batch_size)

  def of_largest_batch(self) -> 'DataConfig':
    """Returns the same with all batches as large as the largest."""
    return dataclasses.replace(
      self, batch_size=max(self.sizes.values()), batch_sizes={}
    )

  def prompt(self, task: str) -> prompts_lib.Prompt:
    """Returns the templates of a task.

    Raises:
      ValueError: if none was configured, or it is not valid.
    """
    return prompts_lib.make_prompt(self.task_string(task))

  def task_string(self, task: str) -> str | tuple[str, str]:
    """Returns what tells the templates of a task: a name, or themselves.

    Raises:
      ValueError: if none was configured.
    """
    known = {each.task: each.task_string for each in self.sources}
    known |= self.prompts
    if task not in known:
      near = difflib.get_close_matches(task, known, n=2, cutoff=0)
      raise ValueError(
        f'DataConfig.prompts has no prompt for task {task!r}; it has some for '
        f"{near}. Add one, such as 'search result'."
      )
    return known[task]

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
