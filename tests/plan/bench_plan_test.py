"""tools/bench_plan: its rows are whole programs, and its table says it all."""

import dataclasses
import importlib
import pathlib

import pytest

from gemb.plan.programs import LossProgram, StepProgram
from gemb.plan.sharding import abstract_layout, held_arrays

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture
def bench(monkeypatch, tmp_path):
  """Returns the benchmark's module, which writes elsewhere."""
  monkeypatch.syspath_prepend(str(ROOT / 'tools'))
  module = importlib.import_module('bench_plan')
  monkeypatch.setattr(module, 'RESULTS', tmp_path / 'results.json')
  return module


def test_every_row_fits_its_mesh(bench):
  for row in bench.rows():
    if isinstance(row.program, StepProgram):
      layout = abstract_layout(row.program, row.topology)
      assert held_arrays(row.program, layout)
    else:
      assert isinstance(row.program, LossProgram)
      assert row.program.pairs % row.topology.chips == 0


def test_results_are_kept_row_by_row(bench, compiled):
  first, second, *_ = bench.rows()
  bench.write_results({first.name: bench.facts(first, compiled)})
  known = bench.read_results()
  too_large = dataclasses.replace(compiled, fits=False, needed=2**35)
  bench.write_results(known | {second.name: bench.facts(second, too_large)})
  assert list(bench.read_results()) == [first.name, second.name]


def test_the_table_tells_what_fits_and_what_does_not(bench, compiled):
  first, second, *_ = bench.rows()
  too_large = dataclasses.replace(compiled, fits=False, needed=2**35)
  *_, fits, does_not = bench.table(
    [bench.facts(first, compiled), bench.facts(second, too_large)]
  ).splitlines()
  assert '| v5e:4x4 | 8.00 | 1.2 | 12.00 of 16.00 |' in fits
  assert '| compute | 60 |' in fits
  assert '32.00 of 16.00: does not fit' in does_not


def test_three_prefixes_are_compared_with_one(bench, compiled):
  rows = {row.name: bench.facts(row, compiled) for row in bench.rows()}
  rows['loss, 262,144 pairs']['flops'] *= 1.1
  assert 'take 1.100 times the FLOPs of one' in bench.contrast(rows)
  assert bench.contrast({}) == ''
