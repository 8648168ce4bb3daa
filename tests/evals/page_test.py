"""Pages of one look: what they include, escape and refuse."""

import jinja2
import pytest

from gemb.evals import page


@pytest.fixture
def template(tmp_path):
  """Returns a template that lies outside of gemb."""
  path = tmp_path / 'notes.html'
  path.write_text(
    "{% extends 'page.html' %}\n"
    '{% block content %}\n<p>{{ text }}</p>\n{% endblock %}\n'
  )
  return path


def test_a_page_has_the_look_and_its_values_escaped(template):
  text = page.render(template, title='T', about={}, text='a < b & "c"')
  assert '<title>T</title>\n<style>\n:root {' in text
  assert '</header>\n<p>a &lt; b &amp; &#34;c&#34;</p>\n</body>' in text
  assert '<dl>' not in text


def test_facts_stand_below_the_title(template):
  text = page.render(template, title='T', about={'steps': 3}, text='')
  assert '<h1>T</h1>\n<dl>\n<div><dt>steps</dt><dd>3</dd></div>' in text


def test_a_value_that_is_not_given_is_an_error(template):
  with pytest.raises(jinja2.UndefinedError, match="'text' is undefined"):
    page.render(template, title='T', about={})
