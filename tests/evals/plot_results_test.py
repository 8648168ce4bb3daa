"""Which plots an evaluation gives, and what they show."""

import re

import matplotlib
import pytest

from gemb.evals import plot_results


def _bitext(system, prefix, by_language, task='wagtail'):
  return {
    'system': system,
    'prefix': prefix,
    'task': task,
    'kind': 'bitext',
    'metrics': {'accuracy': sum(by_language.values()) / len(by_language)},
    'by_language': by_language,
  }


def _texts(svg):
  return re.findall(r'<text[^>]*>([^<]*)</text>', svg)


def _plots(rows, similarities=None):
  results = {'rows': rows, 'similarities': similarities or {}}
  return {plot.name: plot for plot in plot_results.make_result_plots(results)}


def test_no_evaluation_gives_no_plot():
  assert plot_results.make_result_plots({}) == []


def test_one_prefix_and_one_language_can_be_drawn():
  plots = _plots([_bitext('gemb', 64, {'de': 0.4})])
  assert list(plots) == ['wagtail_by_dimension', 'wagtail_by_language']


def test_scores_of_zero_can_be_drawn():
  plots = _plots([_bitext('gemb', 64, {'de': 0.0})])
  assert '0.0' in _texts(plots['wagtail_by_language'].svg)


def test_without_prefixes_there_is_no_plot_by_dimension():
  assert _plots([_bitext('bm25', None, {'de': 0.4})]) == {}


def test_the_systems_and_prefixes_are_named():
  rows = [
    _bitext('gemb', 64, {'de': 0.4}),
    _bitext('gemb', 256, {'de': 0.5}),
    _bitext('untrained', 64, {'de': 0.1}),
    _bitext('bm25', None, {'de': 0.2}),
  ]
  texts = _texts(_plots(rows)['wagtail_by_dimension'].svg)
  assert {'gemb', 'untrained', 'BM25', '64', '256', '40.0'} <= set(texts)
  assert {'Embedding dimensions kept', 'Accuracy (%)'} <= set(texts)


def test_languages_are_sorted_best_first_at_the_largest_prefix():
  rows = [
    _bitext('gemb', 64, {'de': 0.9, 'fr': 0.1, 'ja': 0.1}),
    _bitext('gemb', 256, {'de': 0.2, 'fr': 0.4, 'ja': 0.3}),
    _bitext('bm25', None, {'de': 0.1}),
  ]
  plot = _plots(rows)['wagtail_by_language']
  languages = [t for t in _texts(plot.svg) if t in ('de', 'fr', 'ja')]
  assert languages == ['fr', 'ja', 'de']
  assert '30.0% for gemb, 10.0% for BM25' in plot.caption


def test_many_languages_are_split_and_all_are_named():
  names = [f'l{n:02d}' for n in range(45)]
  rows = [_bitext('gemb', 64, {n: i / 99 for i, n in enumerate(names)})]
  plots = _plots(rows)
  first = _texts(plots['wagtail_by_language_1'].svg)
  second = _texts(plots['wagtail_by_language_2'].svg)
  assert [t for t in first + second if t in names] == names[::-1]


def test_histograms_are_shares_of_their_own_pairs():
  histogram = {'positive': [0, 4], 'negative': [500, 500], 'edges': [-1, 0, 1]}
  plots = _plots([], {'wagtail': histogram})
  texts = _texts(plots['wagtail_similarities'].svg)
  assert {'positive', 'negative', '100'} <= set(texts)  # 4 of 4


def test_an_empty_histogram_is_not_drawn():
  histogram = {'positive': [0, 0], 'negative': [0, 0], 'edges': [-1, 0, 1]}
  assert _plots([], {'wagtail': histogram}) == {}


@pytest.mark.parametrize('task', ['a<b>&"c"', '$x$ and $y', 'a/../b', 'x' * 99])
def test_any_name_of_a_task_can_be_drawn(task):
  plots = _plots([_bitext('gemb', 64, {'de': 0.4}, task=task)])
  for name, plot in plots.items():
    assert '/' not in name
    assert '<b>' not in plot.svg


def test_equal_results_give_equal_bytes():
  rows = [_bitext('gemb', 64, {'de': 0.4, 'fr': 0.2})]
  assert _plots(rows) == _plots(rows)


def test_the_look_of_other_figures_is_left_alone():
  before = dict(matplotlib.rcParams)
  _plots([_bitext('gemb', 64, {'de': 0.4})])
  assert dict(matplotlib.rcParams) == before
