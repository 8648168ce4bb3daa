"""Having something compiled: once, in turn, and with mistakes told."""

import importlib.util
import json
import threading

import pytest

from gemb.data import locks
from gemb.plan import compiler
from gemb.plan.chips import Topology
from gemb.plan.collectives import Collective
from gemb.plan.compiling import LOCKED
from gemb.plan.programs import StepProgram

SLICE = Topology(name='v5e:2x2')
FOUND = {
  'capacity': 100,
  'seconds': 1.5,
  'arguments': 40,
  'outputs': 1,
  'code': 2,
  'temporary': 30,
  'stated_temporary': 31,
  'parts': {'loss': 30},
  'flops': 1e9,
  'stated_flops': 1e8,
  'hbm': 1e6,
  'collectives': [
    {
      'kind': 'all-reduce',
      'devices': 2,
      'between_slices': False,
      'bytes': 8.0,
    }
  ],
  'unknown': [],
}


@pytest.fixture
def child(monkeypatch, tmp_path):
  """Answers in the child's place; returns how often it was asked."""
  monkeypatch.setenv('GEMB_DATA', str(tmp_path))
  monkeypatch.setattr(compiler, 'check_libtpu', lambda: None)
  monkeypatch.setattr(
    compiler.importlib.metadata, 'version', lambda name: '1.0'
  )
  monkeypatch.setattr(compiler, '_WAIT', 0)
  asked = []

  def answer(*answers):
    left = list(answers)

    def run(request, say):
      asked.append(request)
      return left.pop(0)

    monkeypatch.setattr(compiler, '_run', run)
    return asked

  return answer


def ok(found=FOUND):
  return 0, f'noise\n{json.dumps(found)}\n', ''


def test_an_answer_is_kept_for_the_same_program_and_slice(tiny, child):
  asked = child(ok(), ok())
  program = StepProgram(run=tiny())
  first = compiler.compile_program(program, SLICE)
  assert compiler.compile_program(program, SLICE) == first
  assert len(asked) == 1
  compiler.compile_program(program, Topology(name='v5e:4x4'))
  assert len(asked) == 2


def test_what_is_needed_is_all_that_lies_in_memory(tiny, child):
  child(ok())
  found = compiler.compile_program(StepProgram(run=tiny()), SLICE)
  assert (found.needed, found.fits) == (73, True)
  assert found.collectives == ((Collective('all-reduce', 2), 8.0),)


def test_a_program_that_is_too_large_is_an_answer_too(tiny, child):
  child(ok({'capacity': 100, 'out_of_memory': 170}))
  found = compiler.compile_program(StepProgram(run=tiny()), SLICE)
  assert (found.needed, found.capacity, found.fits) == (170, 100, False)


def test_libtpus_lock_is_waited_for_with_one_message(tiny, child):
  said = []
  asked = child((LOCKED, '', ''), (LOCKED, '', ''), ok())
  compiler.compile_program(StepProgram(run=tiny()), SLICE, say=said.append)
  assert len(asked) == 3
  assert said == [
    'Another process holds libtpu (/tmp/libtpu_lockfile); waiting.'
  ]


def test_another_plan_is_waited_for(tiny, child, tmp_path):
  child(ok())
  (tmp_path / 'plans').mkdir()
  said, release = [], threading.Event()

  def say(line):
    said.append(line)
    release.set()

  def hold():
    with locks.hold(tmp_path / 'plans/.lock'):
      held.set()
      release.wait(10)

  held = threading.Event()
  other = threading.Thread(target=hold)
  other.start()
  held.wait(10)
  compiler.compile_program(StepProgram(run=tiny()), SLICE, say=say)
  other.join()
  assert said == ['Another `gemb plan` is compiling; waiting for it.']


def test_what_the_child_says_of_wrong_input_is_one_sentence(tiny, child):
  child(ok({'error': 'libtpu knows no slice v5e:3x5: why.'}))
  with pytest.raises(ValueError, match='knows no slice v5e:3x5'):
    compiler.compile_program(StepProgram(run=tiny()), SLICE)


def test_a_compiler_that_fails_is_told_by_its_last_words(tiny, child):
  child((1, '', 'Traceback\nXlaError: INTERNAL: why\n----------\n'))
  with pytest.raises(RuntimeError, match='failed: XlaError: INTERNAL: why'):
    compiler.compile_program(StepProgram(run=tiny()), SLICE)


def test_a_missing_libtpu_is_told_with_the_remedy(monkeypatch):
  monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
  with pytest.raises(ValueError, match=r"pip install -e '\.\[plan\]'"):
    compiler.check_libtpu()
