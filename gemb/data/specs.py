"""What decides a task's records: from which follows where they lie."""

import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Mapping

from gemb.data.archives import data_dir
from gemb.data.config import DataConfig
from gemb.data.contamination import load_contaminated
from gemb.data.tokenizer import Tokenizer
from gemb.prompts import Prompt

FORMAT = 2  # raised whenever the bytes of a record change meaning


@dataclasses.dataclass(frozen=True, kw_only=True)
class CacheSpec:
  """Everything that decides what a task's records are.

  Attributes:
    task: name of the seqio Task.
    query_template: of its prompt.
    passage_template: of its prompt.
    tokenizer_sha256: of the SentencePiece model.
    held_out: tasks whose texts were left out.
    mined: sha256 of the file of mined hard negatives; None: there is none.
    contaminated: checksum of the examples that were left out because they
      overlap with evaluation sets; None: nobody looked.
    filtered: sha256 of the file that names examples to leave out; None: there
      is none.
    format: of the records.
  """

  task: str
  query_template: str
  passage_template: str
  tokenizer_sha256: str
  held_out: tuple[str, ...]
  mined: str | None = None
  contaminated: str | None = None
  filtered: str | None = None
  format: int = FORMAT

  @property
  def folder(self) -> pathlib.Path:
    """Where these records lie, or will."""
    values = dataclasses.asdict(self)
    if self.filtered is None:  # caches from before there was such a file stay
      del values['filtered']
    text = json.dumps(values, sort_keys=True)
    fingerprint = hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
    return data_dir() / 'cache' / self.task / fingerprint

  @property
  def prompt(self) -> Prompt:
    """The templates, as a prompt."""
    return Prompt(self.query_template, self.passage_template)


def make_spec(
  config: DataConfig,
  task: str,
  tokenizer: Tokenizer,
  *,
  with_task: bool = True,
) -> CacheSpec:
  """Returns the spec of one of the run's training tasks.

  Args:
    config: of the run's data.
    task: one of `config.rates`.
    tokenizer: of the run.
    with_task: whether the texts keep their task string.

  Raises:
    OSError: if a file that the configuration names cannot be read.
    ValueError: if it is no report of `gemb decontaminate`.
  """
  prompt = config.prompt(task)
  if not with_task:
    prompt = prompt.without_task()
  contaminated = config.contaminated
  return CacheSpec(
    task=task,
    query_template=prompt.query,
    passage_template=prompt.passage,
    tokenizer_sha256=tokenizer.sha256,
    held_out=tuple(sorted(config.held_out)),
    mined=_sha256(task, 'mined_negatives', config.mined_negatives),
    contaminated=(
      None
      if contaminated is None
      else load_contaminated(pathlib.Path(contaminated)).checksum(task)
    ),
    filtered=_sha256(task, 'filtered', config.filtered),
  )


def make_specs(
  config: DataConfig, task: str, tokenizer: Tokenizer
) -> list[CacheSpec]:
  """Returns the specs that a task is read by, first the usual one.

  The second, if any, is of the same examples without their task string.
  """
  both = (True, False) if config.drop_task_string else (True,)
  return [make_spec(config, task, tokenizer, with_task=w) for w in both]


def _sha256(task: str, field: str, paths: Mapping[str, str]) -> str | None:
  """Returns the checksum of a task's file, if it has one."""
  if task not in paths:
    return None
  path = paths[task]
  try:
    with pathlib.Path(path).open('rb') as file:
      return hashlib.file_digest(file, 'sha256').hexdigest()
  except OSError as error:
    raise OSError(
      f'The file of task {task!r} cannot be read at {path} '
      f'({error.strerror}); check DataConfig.{field}.'
    ) from error
