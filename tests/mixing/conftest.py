"""A run of two tasks, and a trainer in the place of the real one."""

import pytest

from gemb import files, loop

TASKS = {'a': 3.0, 'b': 1.0}


@pytest.fixture
def two_tasks(golden_model):
  """Returns bindings that give the tiny run two tasks, and a tokenizer."""
  prompts = dict.fromkeys((*TASKS, 'golden_held_out'), 'search result')
  return [
    f'DataConfig.rates={TASKS}',
    f'DataConfig.prompts={prompts}',
    f"TokenizerConfig.path='{golden_model}'",
  ]


@pytest.fixture
def trained(monkeypatch):
  """Has runs end at once; returns those that were trained, in their order.

  Their accuracy is 0.4 and the share of 'a'; their loss falls in a straight
  line from 2 to 1.
  """
  runs = []

  def train(run, workdir, *, config_text):
    runs.append(run)
    files.write_file(workdir.config, config_text)
    share = run.data.rates.get('a', 0) / sum(run.data.rates.values())
    scores = {f'eval/bitext/accuracy@{p}': 0.4 + share for p in (4, 8, 16)}
    lines = [
      {'step': step, 'loss': 2 - (step - 1) / (run.steps - 1)}
      for step in range(1, run.steps + 1)
    ]
    text = '\n'.join(repr(line).replace("'", '"') for line in lines)
    last = repr({'step': run.steps} | scores).replace("'", '"')
    files.write_file(workdir.root / 'metrics.jsonl', f'{text}\n{last}\n')
    (workdir.checkpoints / str(run.steps)).mkdir(parents=True)

  monkeypatch.setattr(loop, 'train', train)
  return runs
