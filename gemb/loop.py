"""train(run, workdir): the whole story of a run, top to bottom."""

import contextlib
import dataclasses
import functools
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

import jax

from gemb import axes, distributed, encode, provenance, stopping
from gemb.axes import Layout
from gemb.data.loader import Loader, open_loader, prefetch
from gemb.data.tokenizer import Tokenizer
from gemb.evals import suite
from gemb.evals.suite import EvalTask
from gemb.initial import check_origin, initial_params
from gemb.model.check import check_embedder
from gemb.model.embedder import Params, make_embedder
from gemb.profile.profiler import open_profiler
from gemb.profile.window import Window
from gemb.run import Run
from gemb.tracking.opening import flat
from gemb.train import guard, integrity, metrics, optimizer
from gemb.train.checkpoints import Checkpoints, check_same
from gemb.train.inspection import Inspector
from gemb.train.placing import place
from gemb.train.state import abstract_state, init_state
from gemb.train.step import make_loss, make_train_step
from gemb.workdir import Workdir, changes


def train(
  run: Run,
  workdir: Workdir,
  *,
  config_text: str,
  window: Window | None = None,
) -> None:
  """Trains from the last checkpoint in the work folder, or from the start.

  Where there are several processes (`gemb.distributed`), all call it; the first
  alone writes, but for the checkpoints, which they write together.

  Args:
    run: what to train.
    workdir: where everything is written.
    config_text: the gin program that `run` was built from.
    window: the steps to profile, if any.

  Raises:
    ValueError: if something does not fit: mesh and batch, checkpoint and
      model, cache and tokenizer, one process and the others; or if another run
      is in the folder.
    RuntimeError: if another process has raised something.
    stopping.Stopped: if it was asked to; everything is saved.
    FloatingPointError: if loss or gradient is no longer finite, or rises, and
      Run.guard wants to stop; the last good checkpoint stays.
  """
  # What can be wrong is found before anything is written or computed.
  distributed.check_same('configuration', config_text)
  layout = Layout(axes.make_mesh(run.mesh), run.rules)
  run.check_layout(layout)
  run.check_best_metric()
  loader, eval_tasks = _open_data(run, layout, config_text)
  tokenizer = loader.tokenizer

  embedder = make_embedder(run.model, run.compute)
  encode.check_vocabulary(embedder, tokenizer)
  schedule = optimizer.make_schedule(run.optimizer, run.steps)
  updates = optimizer.make_optimizer(run.optimizer, schedule)
  made_by = provenance.about_run() | provenance.about_data(loader.identity())
  about = made_by | {
    'config': config_text,
    'model': dataclasses.asdict(run.model),
    'data': loader.identity(),
  }

  with contextlib.ExitStack() as stack:
    _claim(workdir, stack)
    stack.enter_context(axes.use(layout))
    # Around the checkpoints: at the end they wait for what is being written.
    stack.enter_context(stopping.watched(alone=distributed.count() == 1))
    checkpoints = stack.enter_context(
      Checkpoints(workdir.checkpoints, run.checkpoints, clean=True)
    )
    done, was = _last(checkpoints, about, run.steps)
    if done:
      like = abstract_state(embedder, updates, layout)
      state = checkpoints.restore(done, like)
    else:
      params = initial_params(run, embedder, layout)
      state = init_state(embedder, updates, layout, params)
    check_embedder(run.model, state.params, layout, run.compute)
    changed = changes(was.get('config', config_text), config_text)
    if done < run.steps:
      _begin(workdir, tokenizer, config_text, made_by, done, changed)
    loss = make_loss(embedder, run.loss, run.microbatch)
    train_step = make_train_step(loss, updates, schedule, run.guard)
    seen = guard.begin(run.guard, layout, was.get('guard'))
    encoder = encode.make_encoder(
      make_embedder(run.model, run.compute.for_any_length()),
      state.params,
      tokenizer,
      layout,
      lengths=run.data.lengths,
      rows=run.microbatch,
    )
    writer = stack.enter_context(
      metrics.open_writer(
        *(workdir.root, run.tracking, flat(run) | flat(made_by)),
        start=done,
        steps=run.steps,
      )
    )
    ahead = prefetch(lambda step: place(loader, step, layout), done, run.steps)
    batches = stack.enter_context(contextlib.closing(ahead))
    meter = metrics.Meter(was.get('meter'))
    profiler = stack.enter_context(
      open_profiler(train_step, window, workdir, done, writer.say, meter.paused)
    )
    inspector = Inspector(
      run.guard, loader.examples, workdir.root, start=done, say=writer.say
    )

    def evaluate() -> dict[str, float]:
      with meter.paused(), profiler.span('evaluation'):
        encode_texts = encoder.with_params(state.params).encode
        return suite.scores(
          eval_tasks,
          functools.partial(encode_texts, between=stopping.check),
          run.loss.prefixes,
        )

    def save(scores: dict[str, float] | None = None) -> None:
      with meter.paused(), profiler.span('checkpoint'):
        also = {'meter': meter.state(), 'guard': guard.remembered(seen)}
        checkpoints.save(state, about | also, scores)

    writer.say(_greeting(done, changed, state.params, layout))
    if _evaluates(done, run) and not _is_evaluated(workdir, done):
      # It was asked to stop before it had evaluated this one.
      scores = evaluate()
      save(scores)
      writer.write(done, _as_metrics(scores))
    running = None
    for plan, batch in profiler.steps(batches):
      state, values = profiler.train_step(state, batch, seen)
      seen = values.get('seen')
      # One step late, so that the devices never wait for this.
      if running:
        meter.add(inspector.inspect(*running))
      running = plan, values
      done = plan.step + 1
      logs = _due(done, run, run.log_every_steps)
      evaluates = _evaluates(done, run)
      saves = _due(done, run, run.checkpoints.every_steps)
      stops = stopping.asked()
      if logs or evaluates or saves or stops:
        meter.add(inspector.inspect(*running))
        running = None
      if logs:
        checkpoints.check_written()
        line = meter.read()
        writer.write(done, line)
        shown = ('loss', 'accuracy', 'pairs_per_second', 'padding')
        writer.advance(done, {x: line[x] for x in shown if x in line})
      scores = None
      if evaluates and not stops:
        try:
          scores = evaluate()
          writer.write(done, _as_metrics(scores))
        except stopping.Stopped:
          stops = True
      if saves or stops:
        save(scores)
      writer.advance(done)
      if stops:
        raise stopping.Stopped(
          f'asked to stop, and saved after step {done} of {run.steps}; the '
          'same command goes on.'
        )


def _last(
  checkpoints: Checkpoints, about: dict[str, Any], steps: int
) -> tuple[int, dict[str, Any]]:
  """Returns the step to go on from, and what its checkpoint says; 0 is new.

  Raises:
    ValueError: if another model or other data made it, or it is beyond the end.
  """
  done = max(checkpoints.steps(), default=0)
  distributed.check_same('last checkpoint', f'step {done}')
  if not done:
    return 0, {}
  if done > steps:
    raise ValueError(
      f'{checkpoints.folder} has a checkpoint of step {done}, and Run.steps is '
      f'{steps}; set it to {done} or more, or choose another --workdir.'
    )
  was = checkpoints.about(done)
  for key, what in (
    ('model', 'architecture (Run.model)'),
    ('data', 'data configuration (Run.data, Run.seed)'),
  ):
    check_same(was[key], about[key], what)
  return done, was


def _claim(workdir: Workdir, stack: contextlib.ExitStack) -> None:
  """Keeps other runs out of the folder, and damaged checkpoints."""
  with distributed.together():
    if distributed.is_first():
      stack.enter_context(workdir.claimed())
      for said in integrity.set_aside_damaged(workdir.checkpoints):
        print(said, flush=True)


def _greeting(
  done: int, changed: Sequence[str], params: Params, layout: Layout
) -> str:
  """Returns what a run says first."""
  if not done:
    size = sum(x.size for x in jax.tree.leaves(params))
    return f'{size:,} parameters on {layout.mesh.size} devices.'
  said = [f'Going on from the checkpoint of step {done}.']
  if changed:
    told = '; '.join(changed)
    said.append(f'Since then the configuration has changed: {told}.')
  return ' '.join(said)


def _due(step: int, run: Run, every: int) -> bool:
  """Returns whether something is done after so many steps; at the end it is."""
  return step == run.steps or (step > 0 and step % every == 0)


def _evaluates(step: int, run: Run) -> bool:
  return bool(run.evaluation.tasks) and _due(
    step, run, run.evaluation.every_steps
  )


def _is_evaluated(workdir: Workdir, step: int) -> bool:
  """Returns whether the metrics have a step's scores, as all processes see."""
  found = metrics.is_evaluated(workdir.root, step)
  distributed.check_same('metrics.jsonl', f'step {step} evaluated: {found}')
  return found


def _as_metrics(scores: dict[str, float]) -> dict[str, float]:
  return {f'eval/{name}': value for name, value in scores.items()}


def _open_data(
  run: Run, layout: Layout, config_text: str
) -> tuple[Loader, list[EvalTask]]:
  """Opens what is trained and judged on; all processes have the same."""
  with distributed.together():
    check_origin(run)
  loader = _open_loader(run, layout, config_text)
  with distributed.together():
    check_origin(run, loader.tokenizer)
    if loader.teacher:
      loader.teacher.check_prefixes(run.loss.prefixes)
    eval_tasks = suite.load_tasks(run.evaluation, run.data, in_training=True)
  distributed.check_same('data', _data_text(loader, eval_tasks))
  return loader, eval_tasks


def _open_loader(run: Run, layout: Layout, config_text: str) -> Loader:
  """Opens the data; has it made if it is not there."""
  shards = layout.shards('batch')
  open_it = functools.partial(
    open_loader,
    run.data,
    seed=run.seed,
    shards=shards,
    rows_at_once=run.microbatch // shards,
  )
  loader = None
  with distributed.together():
    if distributed.is_first():
      try:
        loader = open_it()
      except FileNotFoundError:
        _make_data(config_text)
  with distributed.together():
    return loader or open_it()


def _make_data(config_text: str) -> None:
  """Runs `gemb cache` as a process: TensorFlow never enters the trainer's."""
  print('Some data is not there yet; `gemb cache` makes it now.', flush=True)
  with tempfile.TemporaryDirectory() as folder:
    file = pathlib.Path(folder) / 'config.gin'
    file.write_text(config_text, encoding='utf-8')
    command = [sys.executable, '-m', 'gemb.main', 'cache']
    done = subprocess.run([*command, f'--gin_file={file}'])
  if done.returncode < 0:
    raise stopping.Stopped(
      f'`gemb cache` was ended by signal {-done.returncode}; the same command '
      'goes on.'
    )
  if done.returncode:
    raise ValueError(
      'The data could not be made, for the reason that `gemb cache` gives '
      'above.'
    )


def _data_text(loader: Loader, eval_tasks: Sequence[EvalTask]) -> str:
  """Returns what all batches and evaluations depend on, to be compared."""
  digest = hashlib.sha256()
  for task in eval_tasks:
    for found in task.sets.values():
      for text in (*found.dressed_queries, *found.dressed_passages):
        digest.update(text.encode() + b'\0')
  content = loader.identity() | {'held_out': digest.hexdigest()}
  return json.dumps(content, indent=0)


def _begin(
  workdir: Workdir,
  tokenizer: Tokenizer,
  config_text: str,
  about: dict[str, Any],
  done: int,
  changed: list[str],
) -> None:
  """Writes down what the run is; all processes must see it."""
  with distributed.together():
    if distributed.is_first():
      workdir.write_tokenizer(tokenizer)
      workdir.write_run(config_text, about)
      workdir.write_start(done, about, changed)
  with distributed.together():
    workdir.check_begun(config_text)
