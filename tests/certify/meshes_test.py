import jax
import pytest

from gemb.certify import meshes, small


def sizes(run):
  chosen, left_out = meshes.choose_meshes(run)
  return [(m.data, m.fsdp, m.tensor) for m in chosen], left_out


def test_the_runs_axes_come_first_and_then_each_alone_and_all(load):
  run = small.shrink(
    load('05_gemma3_270m', 'EncoderConfig.heads=16', 'EncoderConfig.kv_heads=8')
  )
  assert sizes(run) == (
    [
      (1, 1, 1),
      (1, 2, 1),
      (1, 4, 1),
      (1, 8, 1),
      (8, 1, 1),
      (1, 1, 8),
      (2, 2, 2),
    ],
    [],
  )


def test_all_axes_of_a_run_are_split_together(load):
  mesh = 'MeshConfig.fsdp=4', 'MeshConfig.tensor=2'
  heads = 'EncoderConfig.heads=4', 'EncoderConfig.kv_heads=2'
  found, _ = sizes(small.shrink(load('00_quickstart', *mesh, *heads)))
  assert found[:4] == [(1, 1, 1), (2, 1, 1), (2, 2, 1), (2, 2, 2)]
  assert found[-1] == (1, 1, 2)  # of two key heads, as far as it goes


def test_an_axis_that_the_model_cannot_be_split_by_is_left_out(load):
  found, left_out = sizes(small.shrink(load('00_quickstart')))
  assert all(tensor == 1 for _, _, tensor in found)
  (reason,) = left_out
  assert reason.startswith("The mesh axis 'tensor' was left out.")
  assert "'kv_heads'" in reason


def test_fewer_devices_are_refused(load, monkeypatch):
  monkeypatch.setattr(jax, 'devices', lambda: [None])
  with pytest.raises(ValueError, match='takes 8 simulated devices; found 1'):
    meshes.choose_meshes(small.shrink(load('00_quickstart')))
