"""Markdown tables that can be read as text."""

from collections.abc import Sequence


def markdown(lines: Sequence[Sequence[str]], *, names: int = 1) -> str:
  r"""Returns a table, with its columns padded to one width.

  Args:
    lines: the head, then the body; all of one length.
    names: columns from the left that hold names, and not numbers.

  >>> print(markdown([['task', 'F1'], ['a|b', '41.0']]), end='')
  | task |   F1 |
  | ---- | ---: |
  | a\|b | 41.0 |
  """
  grid = [[text.replace('|', '\\|') for text in line] for line in lines]
  widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
  rule = [
    '-' * width if i < names else '-' * (width - 1) + ':'
    for i, width in enumerate(widths)
  ]
  aligned = [
    [
      text.ljust(width) if i < names else text.rjust(width)
      for i, (text, width) in enumerate(zip(line, widths, strict=True))
    ]
    for line in grid
  ]
  aligned.insert(1, rule)
  return ''.join(f'| {" | ".join(line)} |\n' for line in aligned)
