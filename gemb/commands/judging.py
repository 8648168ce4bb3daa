"""gemb check and evaluate: how good a model is."""

import argparse
import pathlib

from gemb.commands.arguments import add_command, add_step, find_run


def add(to) -> None:
  """Adds these commands."""
  command = add_command(
    to,
    check,
    'check',
    'Prove on the real parameters that they encode in both directions, and '
    'that padding and other rows leave no trace; `gemb train` does it too.',
    '--workdir=runs/mine',
    workdir='the run',
  )
  add_step(command)
  command = add_command(
    to,
    evaluate,
    'evaluate',
    'Evaluate a model on the held-out tasks, and write report.html; or, with '
    '--mteb or --data, with the evaluators of MTEB.',
    '--workdir=runs/mine --mteb="MTEB(Multilingual, v2)"',
    workdir='the run',
  )
  add_step(command)
  command.add_argument(
    '--gin_file',
    action='append',
    default=[],
    metavar='FILE',
    help="a gin file that is read after the run's own, such as "
    'configs/run/04_evaluate.gin; may be repeated',
  )
  command.add_argument(
    '--plots', metavar='DIR', help='write the plots of the report there too'
  )
  command.add_argument(
    '--mteb',
    action='append',
    default=[],
    metavar='NAME',
    help='a benchmark or a task of MTEB; may be repeated',
  )
  command.add_argument(
    '--data', metavar='DIR', help='evaluate on the files of a folder'
  )
  command.add_argument(
    '--prefix',
    type=int,
    action='append',
    default=[],
    help='dimensions to keep, with --mteb and --data; may be repeated',
  )


def check(options: argparse.Namespace) -> None:
  """Proves on the real parameters that the encoder is one."""
  from gemb import trained
  from gemb.model.check import check_embedder

  run, found = find_run(options)
  encoder, step = trained.load_encoder(run, found, step=options.step)
  findings = check_embedder(
    run.model, encoder.params, encoder.layout, run.compute
  )
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

  run, found = find_run(options)
  results = evaluation.evaluate(run, found, step=options.step)
  if options.plots:
    metrics = read_metrics(found.root)
    report.save_plots(options.plots, results=results, metrics=metrics)
  print(f'\n{markdown_table(results)}\nReport: {found.report}')


def _evaluate_with_mteb(options: argparse.Namespace) -> None:
  from gemb import trained
  from gemb.evals.mteb import run as mteb_run

  run, found = find_run(options)
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
