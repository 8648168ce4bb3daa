import pytest

from gemb.data import terms

PAGE = """<head><title>Moon</title></head>
<ul><li>Home</li></ul>
<h1 class="title">
  Moon Terms<widget></widget>
</h1><widget>Send feedback</widget>
<p>By landing on the <a href="/moon">moon</a>,
you agree.
<h2>Section 1: Definitions</h2>
<p>"Moon" means the moon.</p>
<h2>Section 2: RESTRICTIONS</h2>
<h3>2.1 Use</h3>
<p>You must not:</p>
<ol><li><p>take &amp; keep stones; or</p></li><li>wave</li></ol>
<h2>Section 3: The rest</h2>
<p>None.</p>
"""


def test_the_essence_is_title_opening_and_restrictions():
  assert terms.essence(PAGE).splitlines() == [
    'Moon Terms',
    'By landing on the moon, you agree.',
    '',
    'Section 2: RESTRICTIONS',
    '',
    '2.1 Use',
    'You must not:',
    'take & keep stones; or',
    '  - wave',
  ]


def test_long_lines_are_broken():
  page = f'<h1>Moon</h1><h2>Restrictions</h2><p>{"a " * 60}<li>{"b " * 60}</li>'
  assert terms.essence(page).splitlines()[3:] == [
    *(' '.join('a' * 40), ' '.join('a' * 20)),
    *('  - ' + ' '.join('b' * 38), '    ' + ' '.join('b' * 22)),
  ]


@pytest.mark.parametrize(
  'page', ['', '<p>502', '<h1>Moon</h1>', '<h2>Restrictions</h2>']
)
def test_another_page_is_refused(page):
  with pytest.raises(ValueError, match='not the page that was wanted'):
    terms.essence(page)
