"""Finetuning on few shell commands, with hard negatives of several kinds.

Needs `gemb weights gemma3_270m`, whose likelihoods order the neighbours.
"""

import json
import pathlib

from miniature import FINETUNE, PREFINETUNE, folder, scores

from gemb import files, main
from gemb.data import examples
from gemb.data.records import text_id

FOLDER = pathlib.Path('runs/miniature/negatives')
_COMMANDS = 200
_FILES = (*FINETUNE.files, 'experiments/negatives.gin')
NONE = FINETUNE.but('Run.steps=40', 'DataConfig.hard_negatives=0', files=_FILES)


def with_negatives(name: str, count: int = 1):
  """Returns finetuning with the negatives of a file in FOLDER."""
  mined = {'some_commands': str(FOLDER / name)}
  return NONE.but(
    f'DataConfig.hard_negatives={count}', f'DataConfig.mined_negatives={mined}'
  )


def prepare() -> None:
  """Draws the commands, and mines and scores their neighbours, once."""
  path = FOLDER / 'some_commands.jsonl'
  if not path.is_file():
    drawn = sorted(
      examples.read_texts('aws_commands'), key=lambda e: text_id(e.id)
    )
    rows = [
      {'id': e.id, 'query': e.query, 'positive': e.positive}
      for e in drawn[:_COMMANDS]
    ]
    files.write_file(path, ''.join(json.dumps(row) + '\n' for row in rows))
  scores(PREFINETUNE, 0)
  _gemb('cache', *(f'--gin_file={file}' for file in NONE.files))
  for kind in ('nearest', 'random'):
    mine = f'--gin_file=experiments/mine_{kind}.gin'
    into = f'--folder={FOLDER / kind}'
    _gemb('mine', mine, into, f'--workdir={folder(PREFINETUNE, 0)}')
  into = f'--folder={FOLDER / "nearest"}'
  _gemb('score', '--gin_file=experiments/mine_nearest.gin', into)


def _gemb(*arguments: str) -> None:
  if main.main(arguments):
    raise SystemExit(f'gemb {" ".join(arguments)} failed.')
