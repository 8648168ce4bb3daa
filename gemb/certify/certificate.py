"""What was compared, how far it agrees, and what may be said of it."""

import dataclasses
import json
import math
import pathlib
from typing import Any

from gemb import files
from gemb.markdown import markdown


class NotCertifiedError(FloatingPointError):
  """A loss or a gradient is not what it should be."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
  """One mesh, compared with the reference.

  Attributes:
    mesh: {axis: devices along it}.
    loss: on this mesh.
    loss_difference: from the reference's, relative to it.
    parameter: whose gradient differs most.
    difference: the greatest of this gradient's entries, relative to the
      largest entry that the reference has there; inf where it is no number.
  """

  mesh: dict[str, int]
  loss: float
  loss_difference: float
  parameter: str
  difference: float

  @property
  def devices(self) -> int:
    """How many there are."""
    return math.prod(self.mesh.values())

  @property
  def name(self) -> str:
    """The axes that split anything."""
    split = [f'{name}={size}' for name, size in self.mesh.items() if size > 1]
    return ' x '.join(split) or 'one device'

  def __str__(self) -> str:
    """Returns the row as a line of progress."""
    return (
      f'{self.name}: the loss differs by {self.loss_difference:.1e}, the '
      f'gradient of {self.parameter} by {self.difference:.1e}'
    )

  def agrees(self, tolerance: float) -> bool:
    """Whether neither differs by more; never where one is no number."""
    return self.loss_difference <= tolerance and self.difference <= tolerance


@dataclasses.dataclass(frozen=True, kw_only=True)
class Certificate:
  """The comparison of one run on all meshes.

  Attributes:
    rows: one a mesh.
    reference: the loss of the plain path.
    tolerance: of both differences.
    batch: what it was measured on, in words.
    changes: (name, the run's value, the value here) of all that was changed.
    left_out: meshes that there are not, each with the reason.
    fault: that was planted; None: the path is the run's own.
    about: versions and commit (`provenance.about_run`).
  """

  rows: tuple[Row, ...]
  reference: float
  tolerance: float
  batch: str
  changes: tuple[tuple[str, Any, Any], ...]
  left_out: tuple[str, ...]
  fault: str | None
  about: dict[str, Any]

  @property
  def agrees(self) -> bool:
    """Whether all meshes agree with the reference."""
    return all(row.agrees(self.tolerance) for row in self.rows)

  def check(self) -> None:
    """Raises NotCertifiedError unless all meshes agree."""
    bad = [row for row in self.rows if not row.agrees(self.tolerance)]
    if not bad:
      return
    worst = max(bad, key=lambda row: max(row.difference, row.loss_difference))
    advice = 'Do not train so: change what differs, or report this table.'
    if self.fault:
      advice = f'So it should be, since {self.fault!r} was planted.'
    raise NotCertifiedError(
      f'{len(bad)} of {len(self.rows)} meshes do not agree with the reference; '
      f'the worst is {worst}, where rounding explains {self.tolerance:.0e}. '
      f'{advice}'
    )

  def to_markdown(self) -> str:
    """Returns it as people read it."""
    planted = f'The fault {self.fault!r} was planted.\n'
    changes = [(name, str(was), str(now)) for name, was, now in self.changes]
    return '\n'.join(
      [
        f'# {"Certified" if self.agrees else "Not certified"}\n',
        *([planted] if self.fault else []),
        f'{self.batch}\n',
        f'The loss is {self.reference:.6f} in the reference: a plain model and '
        'loss in float64, on one device. Gradients differ by as much as the '
        'worst entry of a parameter does, relative to its largest; at most '
        f'{self.tolerance:.0e} is rounding.\n',
        self._table(),
        *(f'{text}\n' for text in self.left_out),
        'Changed for this comparison:\n',
        markdown([('what', 'in the run', 'here'), *changes], names=3)
        if changes
        else 'Nothing.\n',
      ]
    )

  def write(self, folder: pathlib.Path, config_text: str) -> None:
    """Writes certificate.md; and certificate.json, with the gin program."""
    files.write_file(folder / 'certificate.md', self.to_markdown())
    content = dataclasses.asdict(self)
    content |= {'agrees': self.agrees, 'config': config_text}
    text = json.dumps(content, indent=2, ensure_ascii=False)
    files.write_file(folder / 'certificate.json', text + '\n')

  def _table(self) -> str:
    head = ('mesh', 'worst gradient', 'agrees', 'devices', 'loss')
    lines = [(*head, 'loss differs by', 'gradient differs by')]
    for row in self.rows:
      lines.append(
        (
          row.name,
          row.parameter,
          'yes' if row.agrees(self.tolerance) else 'NO',
          str(row.devices),
          f'{row.loss:.6f}',
          f'{row.loss_difference:.1e}',
          f'{row.difference:.1e}',
        )
      )
    return markdown(lines, names=3)
