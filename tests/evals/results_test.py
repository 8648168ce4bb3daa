"""The table of results and its Markdown."""

import pytest

from gemb.evals import results


def _row(system, prefix, task, kind, **metrics):
  return {
    'system': system,
    'prefix': prefix,
    'task': task,
    'kind': kind,
    'metrics': {name.replace('_at_', '@'): v for name, v in metrics.items()},
  }


_RESULTS = {
  'step': 10,
  'rows': [
    _row('bm25', None, 'wagtail', 'bitext', accuracy=0.03),
    _row('gemb', 256, 'wagtail', 'bitext', accuracy=0.41),
    _row('gemb', 64, 'wagtail', 'bitext', accuracy=0.2),
    _row('bm25', None, 'code', 'retrieval', mrr_at_10=0.5, ndcg_at_10=0.6),
    _row('gemb', 256, 'code', 'retrieval', mrr_at_10=0.4, ndcg_at_10=0.4),
  ],
}


def test_the_table_as_markdown():
  assert results.markdown_table(_RESULTS) == (
    '| system | prefix | wagtail: accuracy | code: nDCG@10 | code: MRR@10 |\n'
    '| ------ | -----: | ----------------: | ------------: | -----------: |\n'
    '| gemb   |     64 |              20.0 |             – |            – |\n'
    '| gemb   |    256 |          **41.0** |          40.0 |         40.0 |\n'
    '| BM25   |      – |               3.0 |      **60.0** |     **50.0** |\n'
  )


def test_of_two_that_read_the_same_both_are_best():
  rows = [
    _row('gemb', 64, 't', 'bitext', accuracy=0.41301),
    _row('gemb', 128, 't', 'bitext', accuracy=0.41299),
    _row('gemb', 256, 't', 'bitext', accuracy=0.4),
  ]
  table = results.make_table({'rows': rows})
  assert [line.cells[0].best for line in table.lines] == [True, True, False]


def test_percent_are_compared_as_numbers():
  rows = [
    _row('gemb', 64, 't', 'bitext', accuracy=0.09),
    _row('gemb', 128, 't', 'bitext', accuracy=0.1),
  ]
  table = results.make_table({'rows': rows})
  assert [line.cells[0].best for line in table.lines] == [False, True]


def test_a_number_without_rivals_is_not_marked_as_best():
  rows = [_row('gemb', 64, 't', 'bitext', accuracy=0.4)]
  assert '**' not in results.markdown_table({'rows': rows})


def test_systems_stand_in_a_fixed_order_and_strangers_last():
  systems = ['zeta', 'bm25', 'untrained', 'alpha', 'gemb', 'bm25']
  assert results.order_systems(systems) == [
    'gemb',
    'untrained',
    'bm25',
    'alpha',
    'zeta',
  ]


def test_a_bar_in_a_name_does_not_break_the_table():
  rows = [_row('a|b', 64, 't', 'bitext', accuracy=0.4)]
  assert '| a\\|b   |' in results.markdown_table({'rows': rows})


def test_without_evaluation_the_table_says_so():
  assert results.markdown_table({}) == 'No evaluation yet.\n'


def test_the_size_of_a_task_is_told():
  row = _row('gemb', 64, 't', 'bitext', accuracy=0.4)
  row |= {'queries': 12345, 'candidates': 500, 'by_language': {'de': 0.4}}
  (task,) = results.make_tasks([row])
  assert task.size == (
    '12,345 queries, up to 500 passages a language, 1 language'
  )
  code = _row('gemb', 64, 'c', 'retrieval', ndcg_at_10=0.4)
  (task,) = results.make_tasks([code | {'queries': 9, 'candidates': 7}])
  assert task.size == '9 queries, 7 passages'


def test_an_unknown_kind_is_refused():
  rows = [_row('gemb', 64, 't', 'clustering', purity=0.4)]
  with pytest.raises(ValueError, match=r"'clustering'.*'bitext', 'retrieval'"):
    results.make_table({'rows': rows})


def test_the_same_row_twice_is_refused():
  row = _row('gemb', 64, 't', 'bitext', accuracy=0.4)
  with pytest.raises(ValueError, match=r"Two rows .* 'gemb' at prefix 64"):
    results.make_table({'rows': [row, row]})
