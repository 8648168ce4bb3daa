import numpy as np
import pytest

from gemb.curation.remote.labels import first_word, from_alternatives, from_text

GRADES = ['0', '1', '2', '3']
NONE = -np.inf


@pytest.mark.parametrize(
  'text', ['2', ' 2\n', '2.', '**2**', '2: it answers', '"2"', '2\nPassage: 3']
)
def test_an_answer_is_the_label_that_it_is_or_begins_with(text):
  np.testing.assert_array_equal(from_text(text, GRADES), [NONE, NONE, 0, NONE])


@pytest.mark.parametrize('text', ['', '21', 'Grade 2', '4', '...', '二'])
def test_an_answer_of_no_label_is_malformed(text):
  assert np.isnan(from_text(text, GRADES)).all()


def test_case_does_not_matter_and_the_longest_label_is_meant():
  labels = ['no', 'Not sure', ' yes']
  np.testing.assert_array_equal(from_text('YES!', labels), [NONE, NONE, 0])
  np.testing.assert_array_equal(from_text('not sure', labels), [NONE, 0, NONE])
  np.testing.assert_array_equal(from_text('no', labels), [0, NONE, NONE])
  np.testing.assert_array_equal(
    from_text('new york', ['new', 'new york']), [NONE, 0]
  )


def test_alternatives_are_normalised_over_the_labels():
  told = {'2': np.log(0.3), ' 2': np.log(0.1), '3': np.log(0.1), 'The': -0.7}
  found = from_alternatives(told, GRADES)
  assert found is not None
  np.testing.assert_allclose(np.exp(found), [0, 0, 0.8, 0.2])


def test_a_token_stands_for_the_only_label_that_it_begins():
  labels = ['positive', 'possible', 'negative']
  told = {'neg': -1.0, 'pos': -0.1, '': -0.2}
  found = from_alternatives(told, labels)
  np.testing.assert_array_equal(found, [NONE, NONE, 0])


def test_alternatives_that_stand_for_no_label_tell_nothing():
  assert from_alternatives({'The': -0.1}, GRADES) is None


def test_the_first_word_is_not_the_punctuation_before_it():
  places = [{'**': -0.1, '2': -3.0}, {'\n': -0.2}, {'1': -0.3, '3': -2.0}]
  assert first_word(places) == {'1': -0.3, '3': -2.0}
  assert first_word([{'**': -0.1}]) is None
  assert first_word([]) is None
