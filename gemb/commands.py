"""What the commands of `gemb` do, each given its options.

Heavy imports wait until a command is known: `gemb --help` is instant, and
only `gemb cache` ever imports TensorFlow, only MTEB PyTorch.
"""

import argparse
import pathlib
import re
from collections.abc import Sequence
from typing import Any


def train(options: argparse.Namespace) -> None:
  """Trains, or goes on."""
  run, text = _load(options)
  from gemb import loop, workdir

  loop.train(run, workdir.make_workdir(options.workdir), config_text=text)


def init(options: argparse.Namespace) -> None:
  """Begins a work folder without training: the model of step 0."""
  from gemb import provenance, workdir
  from gemb.data.tokenizer import load_tokenizer

  run, text = _load(options)
  tokenizer = load_tokenizer(run.data.tokenizer)
  made = workdir.make_workdir(options.workdir)
  if made.config.is_file():
    raise ValueError(
      f'{made.root} holds a run already (config.gin); choose another --workdir.'
    )
  made.write_tokenizer(tokenizer)
  made.write_run(text, provenance.about_run())
  print(f'{made.root} is the model of step 0: use it with --step=0.')


def cache(options: argparse.Namespace) -> None:
  """Makes corpora, tokenizer and caches."""
  machine, machines = _share(options.shard)
  run, _ = _load(options)
  try:
    from gemb.data import cache
  except ModuleNotFoundError as error:
    raise ValueError(
      f'Making caches needs {error.name}, which is not installed: pip install '
      '"gemb[data]". Caches made elsewhere can be copied into the data folder.'
    ) from error
  if options.prepare:
    for job in cache.prepare(run.data):
      print(f'{job.spec.task}: prepared; gemb.data.caching.beam makes it')
    return
  cache.build(
    run.data,
    processes=options.processes,
    machine=machine,
    machines=machines,
  )


def decontaminate(options: argparse.Namespace) -> None:
  """Finds the training examples that evaluation sets have too."""
  from gemb.data.contamination.index import Index
  from gemb.data.contamination.scan import scan
  from gemb.evals.markdown import markdown

  run, _ = _load(options)
  sets = _evaluation_texts(run.data.held_out, options.data)
  report = scan(run.data.rates, Index(sets))
  report.write(options.output)
  print(
    f'\n{markdown(report.lines())}\nThe ids are in {options.output}; `gemb '
    'cache` drops these examples with\n  DataConfig.contaminated = '
    f'{options.output!r}'
  )


def list_data(options: argparse.Namespace) -> None:
  """Lists the corpora, or the tasks of a run."""
  if options.gin_file:
    from gemb.data import show

    print(show.list_tasks(_load(options)[0].data))
    return
  try:
    from gemb.data import corpora
    from gemb.data.corpora import tables
  except ModuleNotFoundError as error:
    raise ValueError(
      f'Listing the corpora needs {error.name}, which is not installed: pip '
      'install "gemb[data]". The tasks of a run are listed without it: name a '
      '--gin_file.'
    ) from error
  print(tables.overview(corpora.infos()))


def show_data(options: argparse.Namespace) -> None:
  """Shows examples of a task as the model reads them."""
  from gemb.data import show

  run, _ = _load(options)
  print(
    show.show_task(
      run.data,
      options.task,
      examples=options.examples,
      seed=run.seed,
      rows_at_once=run.microbatch,
    )
  )


def weights(options: argparse.Namespace) -> None:
  """Fetches pretrained weights, once their terms are accepted."""
  from gemb.data import weights

  folder = weights.fetch(options.name, accepted=options.accept_gemma_terms)
  print(f'{options.name} is in {folder}')


def check(options: argparse.Namespace) -> None:
  """Proves on the real parameters that the encoder is one."""
  from gemb import trained
  from gemb.model.check import check_embedder

  run, found = _find(options)
  encoder, step = trained.load_encoder(run, found, step=options.step)
  findings = check_embedder(run.model, encoder.params, encoder.layout)
  print('\n'.join(f'  {finding}' for finding in findings))
  print(f'All hold: the model of step {step} is an encoder.')


def evaluate(options: argparse.Namespace) -> None:
  """Judges the model on the held-out tasks, or with MTEB."""
  if options.mteb or options.data:
    _evaluate_with_mteb(options)
    return
  from gemb import evaluation
  from gemb.evals import report
  from gemb.evals.results import markdown_table
  from gemb.train.metrics import read_metrics

  run, found = _find(options)
  results = evaluation.evaluate(run, found, step=options.step)
  if options.plots:
    metrics = read_metrics(found.root)
    report.save_plots(options.plots, results=results, metrics=metrics)
  print(f'\n{markdown_table(results)}\nReport: {found.report}')


def export(options: argparse.Namespace) -> None:
  """Writes a sentence-transformers folder."""
  from gemb.data import weights
  from gemb.export.folder import export

  run, found = _find(options)
  licence = None
  if run.pretrained is not None:
    licence = weights.licence_of(weights.find(run.pretrained.path))
  step = export(
    run,
    found,
    options.output,
    step=options.step,
    dtype=options.dtype,
    truncate_dim=options.truncate_dim,
    max_length=options.max_length,
    licence=licence,
  )
  print(f'Step {step} is in {options.output}, and reads back the same.')


def encode(options: argparse.Namespace) -> None:
  """Embeds the lines of a file."""
  import numpy as np

  from gemb import files, prompts, trained
  from gemb.evals.retrieval import truncate

  run, found = _find(options)
  prompt = prompts.make_prompt(options.task)
  dress = prompt.dress_passage if options.passages else prompt.dress_query
  texts = _read_lines(pathlib.Path(options.input))
  encoder, step = trained.load_encoder(run, found, step=options.step)
  vectors = encoder.encode([dress(text) for text in texts])
  width = run.model.embedding_width
  prefix = width if options.prefix is None else options.prefix
  vectors = truncate(vectors, prefix)
  with files.write_path(options.output) as path, path.open('wb') as file:
    np.save(file, vectors)
  print(
    f'{len(vectors):,} unit vectors of width {vectors.shape[1]}, from step '
    f'{step}, in {options.output}'
  )


def _evaluate_with_mteb(options: argparse.Namespace) -> None:
  from gemb import trained
  from gemb.evals.mteb import run as mteb_run

  run, found = _find(options)
  encoder, step = trained.load_encoder(run, found, step=options.step)
  summary = mteb_run.evaluate_encoder(
    encoder,
    names=options.mteb,
    data=pathlib.Path(options.data) if options.data else None,
    prefixes=options.prefix or run.loss.prefixes[-1:],
    model=f'gemb/{found.root.name}',
    revision=f'step-{step}',
    folder=found.root,
    prompts=run.evaluation.mteb_prompts,
  )
  print(f'\n{summary.to_markdown()}\nResults: {found.root / "mteb"}')


def _evaluation_texts(
  tasks: Sequence[str], paths: Sequence[str]
) -> dict[str, list[str]]:
  """Returns the texts of held-out tasks and of files, by set."""
  from gemb.data import examples
  from gemb.evals.mteb import texts

  if not tasks and not paths:
    raise ValueError(
      'There are no evaluation sets: DataConfig.held_out is empty, and no '
      '--data was given. Name some.'
    )
  found = {
    task: [
      text
      for example in examples.read_texts(task)
      for text in (example.query, example.positive)
    ]
    for task in tasks
  }
  for path in paths:
    for name, of_set in texts.read_texts(pathlib.Path(path)).items():
      if name in found:
        raise ValueError(
          f'Two evaluation sets are called {name!r}, one of them in '
          f'--data={path}; rename its files.'
        )
      found[name] = of_set
  return found


def _share(text: str) -> tuple[int, int]:
  """Returns which part of the work is done here, of how many."""
  found = re.fullmatch(r'(\d+)/(\d+)', text)
  number, count = map(int, found.groups()) if found else (0, 0)
  if number >= count:
    raise ValueError(
      f'--shard={text} is no part of the work; give a number from 0 and how '
      'many there are, such as --shard=0/8 to --shard=7/8.'
    )
  return number, count


def _read_lines(path: pathlib.Path) -> list[str]:
  try:
    texts = path.read_text(encoding='utf-8').splitlines()
  except (OSError, UnicodeDecodeError) as error:
    raise ValueError(
      f'--input={path} cannot be read ({error}); give a UTF-8 file.'
    ) from error
  if not texts:
    raise ValueError(f'--input={path} has no line; give a text a line.')
  return texts


def _load(options: argparse.Namespace):
  from gemb import config

  return config.load(options.gin_file, options.gin)


def _find(options: argparse.Namespace) -> tuple[Any, Any]:
  """Returns the run of a work folder, and the folder."""
  from gemb import config, workdir

  found = workdir.find_workdir(options.workdir)
  run, _ = config.load([str(found.config)], options.gin)
  return run, found
