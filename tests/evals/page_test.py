"""Pages of one look: what they include, escape and refuse."""

import jinja2
import pytest

from gemb.evals import page


@pytest.fixture
def template(tmp_path):
  """Returns a template that lies outside of gemb."""
  path = tmp_path / 'page.html'
  path.write_text("{% include 'style.html' +%}\n<p>{{ text }}</p>\n")
  return path


def test_a_page_has_the_look_and_its_values_escaped(template):
  text = page.render(template, text='a < b & "c"')
  assert text.startswith('<style>\n:root {')
  assert text.endswith('</style>\n<p>a &lt; b &amp; &#34;c&#34;</p>')


def test_a_value_that_is_not_given_is_an_error(template):
  with pytest.raises(jinja2.UndefinedError, match="'text' is undefined"):
    page.render(template)
