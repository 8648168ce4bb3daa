"""Makes the folder of a teacher (`gemb.data.teacher`): its vectors, or texts.

Texts are taken from where `gemb cache` left them, and not from token ids: a
teacher may have another tokenizer than its student. Of a task's texts the
records hold some, in the same order and by name, which tells them apart.
"""

import contextlib
import dataclasses
import itertools
import json
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
import tqdm
from jaxtyping import Float

from gemb import files
from gemb.data import examples, locks, teacher
from gemb.data.caching import mined
from gemb.data.config import DataConfig
from gemb.data.examples import Example
from gemb.data.records import Record, Records, answer_id, text_id
from gemb.data.specs import make_spec
from gemb.data.tokenizer import load_tokenizer

T = TypeVar('T')
Embed = Callable[[Sequence[str]], Float[np.ndarray, 'X E']]

_TEXTS = ('id', 'language', 'query', 'positive', 'negatives')  # of a line
_AT_ONCE = 1024  # examples whose texts are embedded together


def write_vectors(
  config: DataConfig,
  folder: pathlib.Path,
  embed: Embed,
  *,
  width: int,
  model: dict[str, Any],
  dtype: str = 'float16',
) -> None:
  """Writes the vectors of all texts that a run reads.

  A task's are there whole or not at all, and are not made twice.

  Args:
    config: of the run's data, whose caches are made.
    folder: to write, or to go on with.
    embed: texts -> unit vectors; each text has the prompt of its task.
    width: of the vectors.
    model: what tells the teacher from others, as JSON.
    dtype: that is stored, 'float16' or 'float32'.

  Raises:
    FileNotFoundError: if a cache or texts have not been made.
    OSError: if the folder cannot be written.
    ValueError: if the folder holds another teacher's vectors, or some of other
      records; if texts have changed since their cache was made; or if another
      process writes there.
  """

  def write(path: pathlib.Path, records: Records, shape: list[int]) -> None:
    header = {'descr': np.dtype(dtype).str, 'fortran_order': False}
    with path.open('wb') as file:
      np.lib.format.write_array_header_1_0(
        file, header | {'shape': (*shape, width)}
      )
      for block in _vectors(config, records, embed, shape[1], width):
        file.write(block.astype(dtype).tobytes())

  _write_tasks(config, folder, '.npy', write, model=model | {'dtype': dtype})


def write_texts(config: DataConfig, folder: pathlib.Path) -> None:
  """Writes the texts that a run reads, for another program to embed.

  Raises:
    FileNotFoundError: if a cache or texts have not been made.
    OSError: if the folder cannot be written.
    ValueError: as `write_vectors` does.
  """

  def write(path: pathlib.Path, records: Records, shape: list[int]) -> None:
    del shape
    with path.open('w', encoding='utf-8') as file:
      for example in _examples(config, records):
        values = {name: getattr(example, name) for name in _TEXTS}
        file.write(json.dumps(values, ensure_ascii=False) + '\n')

  model = {'name': 'another program'}
  _write_tasks(config, folder, '.jsonl', write, model=model)


def _write_tasks(
  config: DataConfig,
  folder: pathlib.Path,
  suffix: str,
  write: Callable[[pathlib.Path, Records, list[int]], None],
  *,
  model: dict[str, Any],
) -> None:
  """Writes a file for each task, and tells of it in teacher.json."""
  tokenizer = load_tokenizer(config.tokenizer)
  with _hold(folder):
    about = _about(folder, model)
    for task in config.rates:
      records = Records(make_spec(config, task, tokenizer))
      wanted = teacher.describe(records, config.hard_negatives)
      path = folder / f'{task}{suffix}'
      if task in about['tasks'] and path.is_file():
        teacher.check_records(folder, about['tasks'][task], wanted)
        print(f'{task}: {path} is there')
        continue
      with files.write_path(path) as temporary:
        write(temporary, records, wanted['shape'])
      # Last: a task that is told of is finished.
      about['tasks'][task] = wanted
      content = json.dumps(about, indent=2) + '\n'
      files.write_file(folder / 'teacher.json', content)
      print(f'{task}: {len(records):,} examples in {path}')


def _vectors(
  config: DataConfig, records: Records, embed: Embed, texts: int, width: int
) -> Iterator[Float[np.ndarray, 'n k E']]:
  """Yields the vectors of some records after another."""
  prompt = records.spec.prompt
  for chunk in _chunks(_examples(config, records), _AT_ONCE):
    dressed, places = [], []
    for row, example in enumerate(chunk):
      passages = example.positive, *example.negatives
      dressed.append(prompt.dress_query(example.query))
      dressed += [prompt.dress_passage(text) for text in passages]
      places += [(row, text) for text in range(1 + len(passages))]
    block = np.zeros((len(chunk), texts, width), np.float32)
    block[tuple(np.array(places).T)] = embed(dressed)
    yield block


def _examples(config: DataConfig, records: Records) -> Iterator[Example]:
  """Yields what the run reads of each record, as text and in their order."""
  task = records.spec.task
  texts: Iterable[Example] = examples.read_texts(task)
  if side_file := config.mined_negatives.get(task):
    path = pathlib.Path(side_file)
    negatives = mined.MinedNegatives(path, mined.index_lines(path))
    texts = map(negatives.add_to, texts)
  texts = iter(texts)
  bar = tqdm.tqdm(
    _records(records),
    desc=task,
    total=len(records),
    unit=' examples',
    disable=None,
  )
  for record in bar:
    # The others were dropped when the cache was made.
    example = next((e for e in texts if e.id == record.name), None)
    if example is None or not _is_of(record, example):
      raise ValueError(
        f'The texts of task {task!r} have changed since its cache was made '
        f'(example {record.name!r}); run `gemb cache` with the same --gin_file.'
      )
    kept = example.negatives[: config.hard_negatives]
    yield dataclasses.replace(example, negatives=kept)


def _records(records: Records) -> Iterator[Record]:
  for chunk in _chunks(iter(range(len(records))), _AT_ONCE):
    yield from records.read(np.array(chunk))


def _is_of(record: Record, example: Example) -> bool:
  """Whether a record was made of these texts, as far as it tells."""
  return (
    record.query_id == text_id(example.query)
    and record.positive_id == answer_id(example.positive, example.label)
    and len(record.negatives) == len(example.negatives)
  )


@contextlib.contextmanager
def _hold(folder: pathlib.Path) -> Iterator[None]:
  """Keeps other processes out; removes what a killed one left half-written."""
  folder.mkdir(parents=True, exist_ok=True)
  with locks.hold(folder / '.lock', wait=False) as held:
    if not held:
      raise ValueError(
        f'Another process writes into {folder}; wait for it, or choose another '
        '--output.'
      )
    for left in folder.glob('.*.tmp'):
      left.unlink()
    yield


def _about(folder: pathlib.Path, model: dict[str, Any]) -> dict[str, Any]:
  """Returns what teacher.json tells, or is to tell."""
  if not (folder / 'teacher.json').is_file():
    return {'model': model, 'tasks': {}}
  about = teacher.read_about(folder)
  if about['model'] != model:
    raise ValueError(
      f'{folder} holds vectors of {about["model"]}, and {model} was asked for; '
      'choose another --output.'
    )
  return about


def _chunks(stream: Iterator[T], size: int) -> Iterator[list[T]]:
  while chunk := list(itertools.islice(stream, size)):
    yield chunk
