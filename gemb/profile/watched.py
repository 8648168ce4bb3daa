"""The train step, with a record of the programs that it runs."""

import contextlib
from collections.abc import Iterator
from typing import Any

import jax

from gemb.profile.table import COMPILATION
from gemb.profile.trace import mark


class Watched:
  """A jitted function of arrays, of which each shape makes a program.

  Attributes:
    done: steps that are done, of the whole run.
  """

  def __init__(self, train_step: Any, done: int):
    """Wraps what returns a state and other values."""
    self.done = done
    self._train_step = train_step
    self._last: Any = None  # what the last step has computed, but the state
    self._shapes: dict[Any, Any] = {}  # of all programs
    self._ran: dict[Any, None] = {}  # those that ran since `begin`

  def __call__(self, *arguments: Any) -> tuple[Any, Any]:
    """Does a step."""
    leaves, tree = jax.tree.flatten(arguments)
    key = tree, *((x.shape, x.dtype) for x in leaves)
    self._ran[key] = None
    number = self.done + 1
    with contextlib.ExitStack() as stack:
      stack.enter_context(
        jax.profiler.StepTraceAnnotation('train', step_num=number)
      )
      if key not in self._shapes:
        # The arrays themselves would be kept in memory.
        self._shapes[key] = jax.tree.map(_shape, arguments)
        stack.enter_context(mark(COMPILATION))
        stack.enter_context(_own_scopes())
      state, self._last = self._train_step(*arguments)
    self.done = number
    return state, self._last

  def wait(self) -> None:
    """Returns once the devices have done all steps."""
    jax.block_until_ready(self._last)

  def begin(self) -> None:
    """Forgets which programs have run."""
    self._ran.clear()

  def texts(self) -> list[str]:
    """Returns the programs that ran since `begin`, in order, as XLA has them.

    They are compiled already: this only looks them up.
    """
    with _own_scopes():
      return [
        self._train_step.lower(*self._shapes[key]).compile().as_text()
        for key in self._ran
      ]


@contextlib.contextmanager
def _own_scopes() -> Iterator[None]:
  """Has JAX take no compiled program from its cache that has other scopes.

  They make no other program, and so it does that otherwise: a program of an
  older gemb could not be told apart.
  """
  name = 'jax_compilation_cache_include_metadata_in_key'
  before = getattr(jax.config, name)
  jax.config.update(name, True)
  try:
    yield
  finally:
    jax.config.update(name, before)


def _shape(x: jax.Array) -> jax.ShapeDtypeStruct:
  return jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding)
