"""Builds the golden cache in a process of its own, for tests that kill it.

The texts are there already, so that `gemb.data.tasks`, and with it TensorFlow,
is not needed: a stand-in tells what they were read from. Arguments: examples of
a shard, processes, and the number of a shard at which the process kills itself.
"""

import os
import pathlib
import signal
import sys
import types

GOLDEN = pathlib.Path(__file__).parent / 'golden'


def _build(size: str, processes: str, fatal: str = 'none') -> None:
  import gemb.data

  stand_in = types.SimpleNamespace(
    import_modules=lambda config: None,
    get=lambda task: None,
    source_name=lambda task: 'golden',
  )
  sys.modules['gemb.data.tasks'] = gemb.data.tasks = stand_in
  from gemb.data import cache
  from gemb.data.caching import jobs, shards
  from gemb.data.config import DataConfig, TokenizerConfig

  def write(job, number, maker, real=shards._write):
    if str(number) == fatal:
      os.kill(os.getpid(), signal.SIGKILL)
    real(job, number, maker)

  shards._write = write
  jobs.EXAMPLES = int(size)
  config = DataConfig(
    name='golden',
    rates={'golden_pairs': 1.0},
    prompts=dict.fromkeys(('golden_pairs', 'golden_held_out'), 'clustering'),
    tokenizer=TokenizerConfig(path=str(GOLDEN / 'tokenizer.model')),
    batch_size=8,
    shapes=((32, 32),),
    held_out=('golden_held_out',),
  )
  cache.build(config, processes=int(processes))


if __name__ == '__main__':
  _build(*sys.argv[1:])
