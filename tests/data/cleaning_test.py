import pytest

from gemb.data import cleaning
from gemb.data.cleaning import Drop


@pytest.mark.parametrize(
  ('text', 'clean'),
  [
    ('The {name} device', 'The device'),
    ('{name} ({host}:{port})', ''),
    ("Page '%(page_title)s' created", 'Page created'),
    ('„{obj}“ wurde geändert.', 'wurde geändert.'),
    ('please %(link)ssign up%(end_link)s first', 'please sign up first'),
    ('No token for "%s".', 'No token for.'),
    ('%1$s of %2$d', 'of'),
    ('%d%% done', '% done'),
    ('[%key:common::error%] Try again', 'Try again'),
    ('Step {{ step }} of 3', 'Step of 3'),
    ('Server Error <em>(500)</em>', 'Server Error (500)'),
    ('<p>One</p><p>Two<br/>three</p>', 'One Two three'),
    ('<a href="%(url)s" class="x">Sign in</a>', 'Sign in'),
    ('see the [docs]({url}).', 'see the docs.'),
    ('a [**Key**](https://a.b/c) tab', 'a Key tab'),
    ('set `{key}` in `file.yaml`', 'set in file.yaml'),
    ('references, &amp; how-to’s', 'references, & how-to’s'),
    ('Email:', 'Email'),
    ('{name}: Low battery', 'Low battery'),
    ('  two\n\n  lines\u00a0here ', 'two lines here'),
    ('soft\u00adhyphen \u200fright', 'softhyphen right'),
    ('cafe\u0301', 'café'),
    ('"a" and "b"', '"a" and "b"'),
    ('size < 3 and > 1', 'size < 3 and > 1'),
    ('100 % des fichiers', '100 % des fichiers'),
    ('می\u200cخواهم', 'می\u200cخواهم'),
  ],
)
def test_markup_and_placeholders_are_stripped(text, clean):
  assert cleaning.clean_text(text) == clean


def test_placeholders_leave_no_trace_to_match_by():
  query, positive = cleaning.clean_pair(
    'Lösche {entity_name} jetzt', 'Delete {entity_name} now'
  )
  assert (query, positive) == ('Lösche jetzt', 'Delete now')


@pytest.mark.parametrize(
  ('query', 'positive', 'reason'),
  [
    ('WLAN', 'WLAN', Drop.IDENTICAL),
    ('Wi-Fi {n}', 'WiFi', Drop.IDENTICAL),
    ('M', 'Monday', Drop.NEAR_EMPTY),
    ('Montag', 'M', Drop.NEAR_EMPTY),
    ('{a} {b}', '{a} and {b}', Drop.NEAR_EMPTY),
    ('3 – 4', 'three to four', Drop.NEAR_EMPTY),
    ('lang ' * 500, 'long', Drop.OVERLONG),
    ('lang', 'long ' * 500, Drop.OVERLONG),
  ],
)
def test_bad_pairs_are_dropped_with_the_reason(query, positive, reason):
  assert cleaning.clean_pair(query, positive) is reason


def test_two_letters_and_two_thousand_characters_are_kept():
  long = 'a' * 2000
  assert cleaning.clean_pair('Ja', 'Yes') == ('Ja', 'Yes')
  assert cleaning.clean_pair('週間', 'Week') == ('週間', 'Week')
  assert cleaning.clean_pair(long, 'No') == (long, 'No')


def test_letters_ignore_case_and_punctuation():
  assert cleaning.letters('Wi-Fi 6!') == cleaning.letters('WIFI6')
  assert cleaning.letters('Wi-Fi 6') != cleaning.letters('Wi-Fi 7')


@pytest.mark.parametrize(
  ('query', 'positive', 'reason'),
  [
    ('Wer?', 'x' * 2001, Drop.OVERLONG),
    ('Wer? {name}', 'Who?', None),
    ('?', 'Who?', Drop.NEAR_EMPTY),
    ('Who', 'who?', Drop.IDENTICAL),
  ],
)
def test_a_clean_pair_is_judged_as_it_is(query, positive, reason):
  assert cleaning.reason(query, positive) == reason
