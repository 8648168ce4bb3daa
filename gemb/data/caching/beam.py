"""Makes the shards of caches with Apache Beam, where one machine is too few.

  gemb cache --gin_file=... --prepare            # texts, tokenizer, jobs
  python -m gemb.data.caching.beam --runner=FlinkRunner  # shards and caches

The second command runs in an environment of its own (`tools/setup beam` makes
.venv-beam), since Beam's protobuf and the newest sentencepiece's exclude each
other, and needs no gin file: all that is prepared in the data folder is done.
Texts and tokenizer must be there already, which the first command makes in the
usual environment. Beam's workers must see the data folder under the same path.

A shard is made by the function that `gemb cache` makes it by, so a cache has
the same checksums whichever made it. That holds for byte-pair tokenizers, as
Gemma's are: with a unigram model two versions of sentencepiece may break a tie
differently. Options are Beam's, such as --direct_num_workers=4.
"""

import os
import pathlib
import sys
from collections.abc import Sequence

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from gemb.data import archives
from gemb.data.caching.jobs import Job, read_jobs
from gemb.data.caching.merging import complete_job
from gemb.data.caching.shards import make_shard


def run(jobs: Sequence[Job], options: Sequence[str]) -> None:
  """Makes all shards of some jobs, and their caches.

  Args:
    jobs: to be done.
    options: of Beam, as on a command line.

  Raises:
    ValueError: if there is nothing to do.
  """
  if not jobs:
    raise ValueError(
      f'Nothing is prepared in {archives.data_dir()}; run `gemb cache '
      '--prepare` with a --gin_file first, or set '
      f'{archives.ENVIRONMENT_VARIABLE} to another data folder.'
    )
  data = str(archives.data_dir().absolute())
  units = [
    (data, str(job.folder), number)
    for job in jobs
    for number in range(job.shards)
  ]
  with beam.Pipeline(options=PipelineOptions(list(options))) as pipeline:
    _ = (
      pipeline
      | 'Shards' >> beam.Create(units)
      | 'Spread' >> beam.Reshuffle()
      | 'Make' >> beam.MapTuple(make)
    )
  for job in jobs:
    print(complete_job(job))


def make(data: str, folder: str, number: int) -> None:
  """Makes a shard on whichever machine, where the data folder is `data`."""
  os.environ[archives.ENVIRONMENT_VARIABLE] = data
  make_shard(pathlib.Path(folder), number)


def main(arguments: Sequence[str]) -> int:
  """Does what is prepared; returns the exit status."""
  try:
    run(read_jobs(), arguments)
  except (ValueError, OSError) as error:
    print(f'gemb.data.caching.beam: {error}', file=sys.stderr)
    return 2
  return 0


if __name__ == '__main__':
  # As the module of its name: Beam's other processes import it by that.
  from gemb.data.caching import beam as named

  sys.exit(named.main(sys.argv[1:]))
