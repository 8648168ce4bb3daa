import pytest

from gemb.data.harvest import markup


@pytest.mark.parametrize(
  ('text', 'plain'),
  [
    ('Return :class:`~a.Foo` or ``x``.', 'Return a.Foo or x.'),
    ('Call :func:`!f` or :py:meth:`g <m.g>`.', 'Call f or g.'),
    ('See `the docs <https://a.b>`__ and `x`_.', 'See the docs and x.'),
    ('An *important* and **bold** word.', 'An important and bold word.'),
    ('Multiply a * b * c and **kwargs.', 'Multiply a * b * c and **kwargs.'),
    ('Match ``<int:id>`` in a path.', 'Match <int:id> in a path.'),
  ],
)
def test_inline_markup_becomes_what_a_reader_sees(text, plain):
  assert markup.plain_inline(text) == plain


@pytest.mark.parametrize(
  ('text', 'plain'),
  [
    ('<p>A\n  <b>key</b>.</p> <p>Old.</p>', 'A key.\nOld.'),
    ('<p>Any of:</p><ul><li> <p>a</p> </li><li>b</li></ul>', 'Any of:\na\nb'),
    ('No tags: 1 < 2 &amp; 3 > 2.', 'No tags: 1 < 2 & 3 > 2.'),
    ('', ''),
  ],
)
def test_html_has_a_line_for_each_paragraph_and_item(text, plain):
  assert markup.plain_html(text) == plain


@pytest.mark.parametrize(
  ('text', 'cut'),
  [
    ('Short text.', 'Short text.'),
    ('One or two.\n\nThree four. Five.', 'One or two.'),
    ('A.\n\nOne two three. Four five.', 'A.\n\nOne two three.'),
    ('A. One two three four five', 'A. One two three'),
    ('x' * 30, 'x' * 18),
  ],
)
def test_a_text_is_cut_at_a_paragraph_or_a_sentence_or_a_word(text, cut):
  assert markup.shortened(text, limit=18) == cut
