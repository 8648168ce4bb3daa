"""Whole evaluations, by the real mteb."""

import math

import pytest

KINDS = {
  'bitext': 'BitextMining',
  'code': 'Retrieval',
  'heaps': 'Clustering',
  'intents': 'Classification',
  'likeness': 'STS',
  'pairs': 'PairClassification',
}


def test_an_encoder_that_knows_all_has_the_full_score(library):
  found = library['perfect']['first']['scores']
  assert found.keys() == KINDS.keys()
  for scores in found.values():
    assert scores['40'] == pytest.approx(1)


def test_a_prefix_that_knows_less_has_less(library):
  # Eight dimensions tell the label of every text, and some numbers alone.
  found = library['perfect']['first']['scores']
  assert found['heaps']['8'] == found['intents']['8'] == pytest.approx(1)
  for task in ('bitext', 'code', 'likeness'):
    assert 0.3 < found[task]['8'] < 0.95


def test_each_text_is_embedded_once_for_all_prefixes(library):
  asked = library['perfect']['first']['asked']
  assert len(asked) == len(set(asked)) > 150


def test_results_are_files_of_mteb_by_step_and_prefix(library):
  folder = 'mteb/results/gemb__tiny/step-7/experiments'
  assert library['perfect']['files'] == [
    f'{folder}/prefix_40__tokens_32/pairs.json',
    f'{folder}/prefix_8__tokens_32/pairs.json',
    'mteb_summary.json',
  ]
  text = library['perfect']['markdown']
  assert text.startswith('# gemb/tiny, step-7\n\n## copy\n\n| task ')
  for task, kind in KINDS.items():
    assert f'| {task:8} | {kind:18} | ' in text


def test_what_has_a_result_is_not_evaluated_again(library):
  first, resumed = (library['perfect'][key] for key in ('first', 'resumed'))
  assert not resumed['asked']
  assert resumed['scores'].keys() == first['scores'].keys()
  for task, scores in first['scores'].items():
    # mteb's files have six digits.
    assert resumed['scores'][task] == pytest.approx(scores, abs=1e-6)


def test_changed_data_are_evaluated_anew(library):
  first, changed = (library['perfect'][key] for key in ('first', 'changed'))
  assert {text.split()[-2] for text in changed['asked']} == {'one', 'other'}
  assert changed['scores']['pairs'] != first['scores']['pairs']


def test_a_result_that_was_cut_short_is_made_anew(library):
  changed, mended = (library['perfect'][key] for key in ('changed', 'damaged'))
  assert {text.split()[-2] for text in mended['asked']} == {'text'}
  assert mended['scores']['heaps'] == changed['scores']['heaps']


def test_a_prefix_has_the_score_that_it_has_alone(library):
  both, alone = library['real']['both'], library['real']['alone']
  assert both.keys() == alone.keys() == KINDS.keys()
  for task, scores in alone.items():
    # Exactly: the samples of clusters are drawn alike.
    assert scores == {'12': both[task]['12']}
    assert 0 < scores['12'] < 1 and both[task]['4'] != scores['12']


def test_without_a_network_the_task_is_named(library):
  assert library['refusals']['none'] == (
    "None of 13 tasks could be evaluated; the first, AppsRetrieval: Couldn't "
    "reach 'CoIR-Retrieval/apps' on the Hub (OfflineModeIsEnabled). Local "
    'files need no network: see --data.'
  )


def test_without_a_network_local_files_are_evaluated_still(library):
  found = library['refusals']['some']
  assert found['unreachable'].keys() == {'STS12'}
  assert 'on the Hub' in found['unreachable']['STS12']
  hub, local = found['lists']
  assert hub['tasks'][0]['scores'] == {}
  assert [task['task'] for task in local['tasks']] == sorted(KINDS)
  for task in local['tasks']:
    assert math.isfinite(task['scores']['8'])


def test_what_cannot_be_is_refused_before_anything_is_embedded(library):
  found = library['refusals']
  assert found['prefix'].startswith(
    'The prefix is 41, but the embeddings have 40 columns'
  )
  assert found['wrong'].startswith("Unknown task string 'clustring'")
