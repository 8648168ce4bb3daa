"""Two small seqio Tasks of text, as a user's own module would add them.

The sentences of tests/golden/*.jsonl are composed from word lists. Two lines
of 'golden_pairs' share a text with 'golden_held_out': one its positive but for
case and punctuation, the other its query.
"""

import json
import pathlib

import seqio
import tensorflow as tf

from gemb.data import tasks

_GOLDEN = pathlib.Path(__file__).parent / 'golden'


def _source(file: str, split: str) -> seqio.FunctionDataSource:
  def dataset(
    split: str, shuffle_files: bool, seed: int | None = None
  ) -> tf.data.Dataset:
    del split, shuffle_files, seed  # one split, in the order of the file
    with (_GOLDEN / file).open(encoding='utf-8') as lines:
      rows = [json.loads(line) for line in lines]
    columns = {
      name: [row[name] for row in rows]
      for name in ('id', 'language', 'query', 'positive')
    }
    negatives = tf.ragged.constant(
      [row['negatives'] for row in rows], dtype=tf.string
    )
    return tf.data.Dataset.from_tensor_slices(
      {**columns, 'negatives': negatives}
    )

  return seqio.FunctionDataSource(dataset, splits=(split,))


tasks.add('golden_pairs', _source('pairs.jsonl', 'train'))
tasks.add('golden_held_out', _source('held_out.jsonl', 'test'))
