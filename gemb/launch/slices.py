"""TPU slices by the names that Google Cloud gives their types.

https://cloud.google.com/tpu/docs/v4, .../v5e, .../v5p and .../v6e tell what the
number in a name counts and how many chips a machine has; .../tpu/docs/runtimes
tells the runtime version of each. What a chip does is in `gemb/plan/chips.py`,
under the same names of chips.
"""

import dataclasses
import difflib


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Family:
  """What the slices of one family have in common.

  Attributes:
    chip: as `gemb plan --topology` names it.
    counted_a_chip: how many a name counts for a chip: its TensorCores, or 1.
    alone: most chips that one machine has, where it is a slice of its own.
    runtime_version: of the machines' software.
  """

  chip: str
  counted_a_chip: int
  alone: int
  runtime_version: str


_FAMILIES = {
  'v4': _Family(
    chip='v4',
    counted_a_chip=2,
    alone=4,
    runtime_version='tpu-ubuntu2204-base',
  ),
  'v5litepod': _Family(
    chip='v5e',
    counted_a_chip=1,
    alone=8,
    runtime_version='v2-alpha-tpuv5-lite',
  ),
  'v5p': _Family(
    chip='v5p',
    counted_a_chip=2,
    alone=4,
    runtime_version='v2-alpha-tpuv5',
  ),
  'v6e': _Family(
    chip='v6e',
    counted_a_chip=1,
    alone=8,
    runtime_version='v2-alpha-tpuv6e',
  ),
}
_CHIPS_A_MACHINE = 4  # in a slice of several machines
_LITTLE = {'v5litepod': (1, 4, 8), 'v6e': (1, 4, 8)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Slice:
  """One slice.

  Attributes:
    accelerator_type: such as 'v5litepod-16' (16 chips) or 'v5p-128' (128
      TensorCores, which are 64 chips).
  """

  accelerator_type: str

  def __post_init__(self):
    family, _, number = self.accelerator_type.partition('-')
    if family not in _FAMILIES:
      named = {each.chip: name for name, each in _FAMILIES.items()}
      if family in named:
        raise ValueError(
          f'accelerator_type is {self.accelerator_type!r}; Google calls '
          f'{family} {named[family]}: give {named[family]}-{number or 16}.'
        )
      near = difflib.get_close_matches(family, _FAMILIES, n=2, cutoff=0)
      raise ValueError(
        f'accelerator_type is {self.accelerator_type!r}, and no family of TPUs '
        f'known here is called {family!r}; the nearest are '
        f'{" and ".join(near)}, as in {near[0]}-16.'
      )
    counted = _FAMILIES[family].counted_a_chip
    chips, rest = divmod(int(number) if number.isdecimal() else 0, counted)
    whole = chips and not rest and chips % _CHIPS_A_MACHINE == 0
    if not whole and chips not in _LITTLE.get(family, ()):
      raise ValueError(
        f'accelerator_type is {self.accelerator_type!r}; {family} counts '
        f'{counted} a chip, and a slice has a multiple of {_CHIPS_A_MACHINE} '
        f'chips: {family}-{_CHIPS_A_MACHINE * counted} or '
        f'{family}-{4 * _CHIPS_A_MACHINE * counted}, say.'
      )

  @property
  def _family(self) -> _Family:
    return _FAMILIES[self.accelerator_type.partition('-')[0]]

  @property
  def chip(self) -> str:
    """The chip, as `gemb plan --topology` names it."""
    return self._family.chip

  @property
  def chips(self) -> int:
    """How many chips it has; each is a device of JAX."""
    number = int(self.accelerator_type.partition('-')[2])
    return number // self._family.counted_a_chip

  @property
  def machines(self) -> int:
    """How many machines it has; each runs a process of its own."""
    alone = self.chips <= self._family.alone
    return 1 if alone else self.chips // _CHIPS_A_MACHINE

  @property
  def runtime_version(self) -> str:
    """The software that Google recommends for its machines."""
    return self._family.runtime_version
