"""One's own data: a file or a data set becomes a task by naming its fields.

Each is one block of gin. `gemb.data.readers` opens what `path` names, and
`gemb.data.intake` makes Examples of its rows.
"""

import dataclasses
import re

from gemb import prompts as prompts_lib

_TASK = re.compile(r'[\w.:]+', re.ASCII)  # as seqio wants it
_PARTS = ('query', 'positive', 'negatives', 'label', 'id', 'language')


@dataclasses.dataclass(frozen=True, kw_only=True)
class SourceConfig:
  """Where a task's texts are, and which fields hold them.

  The first row must have every field that is named here; later ones may lack
  `negatives` and `language`.

  Attributes:
    task: its name, by which rates and held-out tasks know it.
    path: `*.jsonl`, `*.jsonl.gz` or `*.parquet`, also a pattern that several
      files match; `tfds:NAME` for a TFDS data set, or a folder that holds one;
      `hf:NAME` (or `hf:NAME:CONFIGURATION`) for a Hugging Face data set, or a
      folder that its `save_to_disk` wrote.
    query: the field of the query.
    positive: of the positive; None: 'positive', unless there is a label.
    negatives: of the hard negatives, a text or a list of texts; None: none.
    label: of a class; then the texts of `query` are classified (see
      `gemb.data.labels`), and have no positive or negatives of their own.
    id: of a readable name, unique within the task; None: the row's number.
    language: of a BCP-47 tag; None: undetermined.
    split: of a TFDS or Hugging Face data set.
    prompt: a task string of gemb.prompts, or two templates; None: 'search
      result', with a label 'classification'. DataConfig.prompts goes before.
    max_characters: of a text; a row with a longer one is malformed.
    max_bad_share: of the rows that may be malformed before it is an error;
      those that are, are named, counted and left out.
  """

  task: str
  path: str
  query: str = 'query'
  positive: str | None = None
  negatives: str | None = None
  label: str | None = None
  id: str | None = None
  language: str | None = None
  split: str = 'train'
  prompt: str | tuple[str, str] | None = None
  max_characters: int = 100_000
  max_bad_share: float = 0.0

  def __post_init__(self):
    if not _TASK.fullmatch(self.task):
      raise ValueError(
        f'SourceConfig.task is {self.task!r}; a name has letters, digits, '
        "'_', '.' and ':' alone."
      )
    if not self.name:
      raise ValueError(
        f'SourceConfig.path of {self.task!r} is {self.path!r}; name a file, a '
        'pattern, tfds:NAME or hf:NAME.'
      )
    if self.label and (self.positive or self.negatives):
      raise ValueError(
        f'SourceConfig.label of {self.task!r} is {self.label!r}: texts with a '
        'label are each other\'s positives and negatives. Remove "positive" '
        'and "negatives", or "label".'
      )
    if self.max_characters < 1:
      raise ValueError(
        f'SourceConfig.max_characters of {self.task!r} is '
        f'{self.max_characters}; it must be at least 1.'
      )
    if not 0 <= self.max_bad_share < 1:
      raise ValueError(
        f'SourceConfig.max_bad_share of {self.task!r} is {self.max_bad_share}; '
        'it must be at least 0 and less than 1.'
      )
    prompts_lib.make_prompt(self.task_string)

  @property
  def kind(self) -> str:
    """What `path` names: 'tfds', 'hf' or 'files'."""
    prefix = self.path.partition(':')[0]
    return prefix if prefix in ('tfds', 'hf') else 'files'

  @property
  def name(self) -> str:
    """The path without the prefix that tells its kind."""
    return self.path.removeprefix(f'{self.kind}:')

  @property
  def task_string(self) -> str | tuple[str, str]:
    """The prompt, or what stands for it where none is given."""
    return self.prompt or ('classification' if self.label else 'search result')

  @property
  def fields(self) -> dict[str, str]:
    """{part of an example: the field of a row that holds it}."""
    named = {part: getattr(self, part) for part in _PARTS}
    if not self.label:
      named['positive'] = self.positive or 'positive'
    return {part: field for part, field in named.items() if field}
