"""gemb data list, data show and decontaminate: what there is to train on."""

import argparse
import pathlib
from collections.abc import Sequence

from gemb.commands.arguments import (
  EXAMPLE,
  add_command,
  load_run,
  positive,
)


def add(to) -> None:
  """Adds these commands."""
  _add_showing(to)
  _add_clearing(to)


def _add_showing(to) -> None:
  text = 'Tell what there is to train on'
  to = to.add_parser('data', help=text, description=f'{text}.').add_subparsers(
    required=True, metavar='list|show'
  )
  command = add_command(
    to,
    list_data,
    'list',
    'List the corpora, with licence and counts; or, with --gin_file, the tasks '
    'of a run, with what their caches hold.',
    f'--gin_file={EXAMPLE}',
  )
  command.add_argument(
    '--gin_file',
    action='append',
    default=[],
    metavar='FILE',
    help='a gin file of a run; may be repeated, and later ones win',
  )
  command = add_command(
    to,
    show_data,
    'show',
    'Show a task of a run: counts, and examples as the model reads them, with '
    'prompts, token ids, padding and, where texts are packed, segments.',
    f'home_assistant --gin_file={EXAMPLE}',
    files=True,
  )
  command.add_argument(
    'task', metavar='TASK', help='a task that the run trains on'
  )
  command.add_argument(
    '--examples', type=positive, default=3, help='how many examples to show (3)'
  )


def _add_clearing(to) -> None:
  command = add_command(
    to,
    decontaminate,
    'decontaminate',
    'Find the training examples that evaluation sets have too: the held-out '
    'tasks, and files. `gemb cache` drops them where DataConfig.contaminated '
    'names the report.',
    f'--gin_file={EXAMPLE} --data=evaluation --output=contamination.json',
    files=True,
  )
  command.add_argument(
    '--data',
    action='append',
    default=[],
    metavar='PATH',
    help='a file, or a folder of files, as `gemb evaluate --data` takes them; '
    'may be repeated',
  )
  command.add_argument(
    '--output', required=True, metavar='FILE', help='the report to write'
  )


def list_data(options: argparse.Namespace) -> None:
  """Lists the corpora, or the tasks of a run."""
  if options.gin_file:
    from gemb.data import show

    print(show.list_tasks(load_run(options)[0].data))
    return
  if options.gin:
    raise ValueError(
      f'--gin.{options.gin[0]} is a value of a run; name its --gin_file.'
    )
  try:
    from gemb.data import corpora
    from gemb.data.corpora import tables
  except ModuleNotFoundError as error:
    raise ValueError(
      f'Listing the corpora needs {error.name}, which is not installed: pip '
      "install -e '.[data]'. The tasks of a run are listed without it: name a "
      '--gin_file.'
    ) from error
  print(tables.overview(corpora.infos()))


def show_data(options: argparse.Namespace) -> None:
  """Shows examples of a task as the model reads them."""
  from gemb.data import show

  run, _ = load_run(options)
  print(
    show.show_task(
      run.data,
      options.task,
      examples=options.examples,
      seed=run.seed,
      rows_at_once=run.microbatch,
    )
  )


def decontaminate(options: argparse.Namespace) -> None:
  """Finds the training examples that evaluation sets have too."""
  from gemb.data.contamination.index import Index
  from gemb.data.contamination.scan import scan
  from gemb.markdown import markdown

  run, _ = load_run(options)
  sets = _evaluation_texts(run.data.held_out, options.data)
  report = scan(run.data.rates, Index(sets))
  report.write(options.output)
  print(
    f'\n{markdown(report.lines())}\nThe ids are in {options.output}; `gemb '
    'cache` drops these examples with\n  DataConfig.contaminated = '
    f'{options.output!r}'
  )


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
