import json
import math

import jax.numpy as jnp
import numpy as np
import pytest

from gemb.data.planning import Plan
from gemb.data.records import Record
from gemb.train.guard import GuardConfig, Seen
from gemb.train.inspection import Inspector

NAMES = ('ant', 'bee', 'cat', 'dog')
SKIP = GuardConfig(not_finite='skip', spike='skip', most_skipped=2)
TOKEN = np.array([1], np.int32)


def examples(step):
  """The names of step 0 are those above; later ones are numbered."""
  names = NAMES if step == 0 else [f'{name}{step}' for name in NAMES]
  return [
    Record(
      name=name,
      query=TOKEN,
      positive=TOKEN,
      negatives=(),
      query_id=1,
      positive_id=2,
    )
    for name in names
  ]


def plan(step=0):
  four = np.arange(4)
  return Plan(step=step, task='pets', view=0 * four, indices=four, shape=(1, 1))


def values(loss=2.0, norm=1.5, own=(1.0, 5.0, 2.0, 4.0), skipped=None):
  """Metrics of a step; `skipped`: how many in a row it is of, if it is odd."""
  found = {
    'loss': jnp.float32(loss),
    'gradient_norm': jnp.float32(norm),
    'tokens': jnp.float32(8),
    'padding': jnp.float32(0.25),
    'learning_rate': jnp.float32(0.5),
    'example_loss': jnp.array(own, jnp.float32),
  }
  if skipped is not None:
    found['skipped'] = jnp.float32(skipped > 0)
    found['seen'] = Seen(
      usual=jnp.float32(0.5), taken=jnp.int32(9), skipped=jnp.int32(skipped)
    )
  return found


@pytest.fixture
def inspector(tmp_path):
  """Returns one with a configuration, which collects what it says."""
  said = []

  def make(config, start=0):
    made = Inspector(config, examples, tmp_path, start=start, say=said.append)
    return made, said

  return make


def lines(folder):
  text = (folder / 'skipped.jsonl').read_text(encoding='utf-8')
  return [json.loads(line) for line in text.splitlines()]


def test_the_numbers_of_a_usual_step_are_returned(inspector, tmp_path):
  plain, _ = inspector(GuardConfig())
  found = plain.inspect(plan(), values())
  assert found == {
    'loss': 2.0,
    'gradient_norm': 1.5,
    'tokens': 8.0,
    'padding': 0.25,
    'learning_rate': 0.5,
    'pairs': 4,
  }
  guarded, said = inspector(SKIP)
  assert guarded.inspect(plan(), values(skipped=0)) == found | {'skipped': 0.0}
  assert said == list(tmp_path.iterdir()) == []


def test_all_numbers_are_asked_for_before_one_is_waited_for(inspector):
  asked = []

  class Number:
    def __init__(self, value):
      self.value = value

    def copy_to_host_async(self):
      asked.append('asked')

    def __array__(self, *_, **__):
      asked.append('waited')
      return np.asarray(self.value)

    def __float__(self):
      return float(self.__array__())

  inspecting, _ = inspector(GuardConfig())
  found = {k: Number(v) for k, v in values().items()}
  assert inspecting.inspect(plan(), found)['loss'] == 2.0
  assert asked == 5 * ['asked'] + 5 * ['waited']


def test_a_loss_that_is_not_finite_stops_and_names(inspector, tmp_path):
  own = 1.0, math.nan, 2.0, math.inf
  inspecting, _ = inspector(GuardConfig())
  with pytest.raises(FloatingPointError) as error:
    inspecting.inspect(plan(), values(math.nan, own=own))
  assert str(error.value) == (
    "Step 1: loss is nan, gradient norm 1.5, on 2 examples of 'pets': bee, dog "
    f'(all are in {tmp_path}/not_finite_1.json). The last good checkpoint '
    'stays. Lower OptimizerConfig.learning_rate, look at these examples, or '
    "have such steps left out: GuardConfig.not_finite='skip'."
  )
  assert json.loads((tmp_path / 'not_finite_1.json').read_text()) == {
    'step': 1,
    'task': 'pets',
    'reason': 'not_finite',
    'loss': 'nan',
    'gradient_norm': 1.5,
    'examples': ['bee', 'dog'],
  }


def test_a_gradient_that_is_not_finite_names_all_examples(inspector):
  inspecting, _ = inspector(GuardConfig())
  with pytest.raises(
    FloatingPointError,
    match="gradient norm inf, on 4 examples of 'pets': ant3, bee3, cat3, dog3 ",
  ):
    inspecting.inspect(plan(3), values(norm=math.inf))


def test_a_spike_stops_where_that_is_wanted(inspector, tmp_path):
  inspecting, _ = inspector(GuardConfig(spike='stop'))
  with pytest.raises(
    FloatingPointError,
    match=r'Step 1: loss is 2\.0, gradient norm 1\.5, 3\.0 times the usual 0\.5'
    r", on a batch of 'pets', of the highest loss bee, dog, cat, ant \(all.*"
    r"GuardConfig\.spike='skip'\.",
  ):
    inspecting.inspect(plan(), values(skipped=1))
  assert (tmp_path / 'spike_1.json').is_file()


def test_a_step_that_is_left_out_has_a_line_and_no_loss(inspector, tmp_path):
  inspecting, said = inspector(SKIP)
  numbers = inspecting.inspect(plan(), values(skipped=1))
  assert numbers == {
    'tokens': 8.0,
    'padding': 0.25,
    'learning_rate': 0.5,
    'pairs': 4,
    'skipped': 1.0,
  }
  assert lines(tmp_path) == [
    {
      'step': 1,
      'task': 'pets',
      'reason': 'spike',
      'loss': 2.0,
      'gradient_norm': 1.5,
      'usual_norm': 0.5,
      'examples': ['bee', 'dog', 'cat', 'ant'],  # the highest loss first
    }
  ]
  assert said[0].endswith('bee, dog, cat, ant. The step is left out.')


def test_too_many_in_a_row_stop(inspector, tmp_path):
  inspecting, _ = inspector(SKIP)
  for step in range(2):
    inspecting.inspect(plan(step), values(math.nan, skipped=step + 1))
  with pytest.raises(
    FloatingPointError,
    match=r'^Step 3: .* 3 steps in a row were left out \(all are in .*/skipped'
    r'\.jsonl\), more than GuardConfig\.most_skipped=2\. The last checkpoint',
  ):
    inspecting.inspect(plan(2), values(math.nan, skipped=3))
  assert [line['step'] for line in lines(tmp_path)] == [1, 2, 3]


def test_lines_after_the_checkpoint_are_written_again(inspector, tmp_path):
  inspecting, _ = inspector(SKIP)
  for step in range(4):
    inspecting.inspect(plan(step), values(skipped=1))
  again, _ = inspector(SKIP, start=2)
  assert [line['step'] for line in lines(tmp_path)] == [1, 2]
  again.inspect(plan(2), values(skipped=1))
  assert [line['step'] for line in lines(tmp_path)] == [1, 2, 3]
