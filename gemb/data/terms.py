"""A licence's web page as readable text: what to read before one agrees."""

import html.parser
import textwrap

_HEADINGS = ('h1', 'h2')  # the title, and what heads a section
_BLOCKS = (*_HEADINGS, 'h3', 'p', 'li')


def essence(page: str) -> str:
  """Returns the title, the opening and the section on restrictions.

  Args:
    page: HTML, in which h1 holds the title and h2 heads a section.

  Raises:
    ValueError: the page has no title, or no section on restrictions.
  """
  sections = _sections(page)
  opening = [s for s in sections if s[0][0] == 'h1']
  restrictions = [s for s in sections if 'restrictions' in s[0][1].lower()]
  if not opening or not restrictions:
    raise ValueError(
      'The terms have no title or no section on restrictions to show: they '
      'are not the page that was wanted.'
    )
  shown = [*opening[0], *(block for s in restrictions for block in s)]
  return '\n'.join(_format(tag, text) for tag, text in shown).strip()


def _sections(page: str) -> list[list[tuple[str, str]]]:
  """Returns the blocks of each section, the first of them its heading."""
  reader = _Reader()
  reader.feed(page)
  reader.close()
  sections = []
  for tag, text in reader.blocks:
    if tag in _HEADINGS:
      sections.append([])
    if sections:
      sections[-1].append((tag, text))
  return sections


class _Reader(html.parser.HTMLParser):
  """Collects the page's blocks as (tag, text), without what is between."""

  def __init__(self):
    super().__init__()
    self.blocks: list[tuple[str, str]] = []
    self._open: str | None = None
    self._text: list[str] = []

  def handle_starttag(self, tag, attrs):
    if tag in _BLOCKS:
      self._end()
      self._open = tag

  def handle_endtag(self, tag):
    if tag in _BLOCKS:
      self._end()

  def handle_data(self, data):
    if self._open:
      self._text.append(data)

  def close(self):
    super().close()
    self._end()

  def _end(self):
    text = ' '.join(''.join(self._text).split())
    if self._open and text:
      self.blocks.append((self._open, text))
    self._open, self._text = None, []


def _format(tag: str, text: str) -> str:
  if tag == 'li':
    return textwrap.fill(
      text, 80, initial_indent='  - ', subsequent_indent='    '
    )
  return ('' if tag == 'p' else '\n') + textwrap.fill(text, 80)
