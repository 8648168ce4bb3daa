"""gemb teach: the vectors that embedding distillation learns from."""

import argparse
import dataclasses
import hashlib
import pathlib

from gemb.commands.arguments import EXAMPLE, add_command, add_step, load_run


def add(to) -> None:
  """Adds this command."""
  command = add_command(
    to,
    teach,
    'teach',
    'Embed the texts that a run trains on with a trained model, its teacher. '
    'DataConfig.teacher names the folder, and LossConfig.distillation weighs '
    'how far the run is from it. Bindings are those of the run, whose mesh and '
    'microbatch the teacher takes.',
    f'--gin_file={EXAMPLE} --workdir=runs/teacher --output=teacher',
    files=True,
  )
  made_by = command.add_mutually_exclusive_group(required=True)
  made_by.add_argument('--workdir', metavar='DIR', help='folder of the teacher')
  made_by.add_argument(
    '--texts',
    action='store_true',
    help='write the texts instead, for a model of another program; '
    'gemb/data/teacher.py tells how its vectors are put beside them',
  )
  add_step(command)
  command.add_argument(
    '--output', required=True, metavar='DIR', help='the folder to write'
  )
  command.add_argument(
    '--dtype',
    choices=('float16', 'float32'),
    default='float16',
    help='type of the vectors (float16)',
  )


def teach(options: argparse.Namespace) -> None:
  """Embeds the texts of a run, or writes them."""
  from gemb.data import teaching

  run, _ = load_run(options)
  folder = pathlib.Path(options.output)
  if options.texts:
    teaching.write_texts(run.data, folder)
    return
  from gemb import config, trained, workdir
  from gemb.evals.retrieval import truncate

  found = workdir.find_workdir(options.workdir)
  teacher, text = config.load([str(found.config)], [])
  # It may have been trained on another machine than the run is for.
  teacher = dataclasses.replace(teacher, mesh=run.mesh, rules=run.rules)
  encoder, step = trained.load_encoder(
    teacher, found, step=options.step, rows=run.microbatch
  )
  width = teacher.model.embedding_width
  teaching.write_vectors(
    run.data,
    folder,
    lambda texts: truncate(encoder.encode(texts), width),
    width=width,
    model={
      'name': found.root.name,
      'step': step,
      'config': hashlib.blake2b(text.encode(), digest_size=8).hexdigest(),
    },
    dtype=options.dtype,
  )
