"""Tables of scores, from scores that are given."""

import json

import pytest

from gemb.evals.mteb import summary
from gemb.evals.mteb.summary import ListScores, Summary, TaskScores


def scores(task, kind, metric='accuracy', **by_prefix):
  return TaskScores(
    task=task,
    kind=kind,
    metric=metric,
    scores={int(k.removeprefix('p')): v for k, v in by_prefix.items()},
  )


def whole(*tasks, benchmark='MTEB(eng, v2)', unreachable=None):
  name = benchmark or 'mine'
  found = ListScores(name=name, benchmark=bool(benchmark), tasks=tasks)
  return Summary(
    model='gemb/x',
    revision='step-9',
    prefixes=(8, 16),
    lists=(found,),
    unreachable=unreachable or {},
  )


TASKS = (
  scores('A', 'Retrieval', 'ndcg_at_10', p8=0.1, p16=0.2),
  scores('B', 'STS', 'cosine_spearman', p8=0.5, p16=0.75),
  scores('C', 'STS', 'cosine_spearman', p8=0.25, p16=0.25),
)


def test_a_benchmark_stands_beside_the_report():
  assert whole(*TASKS).to_markdown() == '\n'.join(
    [
      '# gemb/x, step-9',
      '',
      '## MTEB(eng, v2)',
      '',
      '| system           | prefix | Mean (Task) | Mean (Type) | Retrieval |   '
      'STS |',
      '| ---------------- | -----: | ----------: | ----------: | --------: | '
      '----: |',
      '| gemb             |      8 |       28.33 |       23.75 |     10.00 | '
      '37.50 |',
      '| gemb             |     16 |       40.00 |       35.00 |     20.00 | '
      '50.00 |',
      '| Gemini Embedding |   3072 |       73.30 |       67.67 |     64.40 | '
      '85.30 |',
      '',
      '| task | type      | score           |     8 |    16 |',
      '| ---- | --------- | --------------- | ----: | ----: |',
      '| A    | Retrieval | ndcg_at_10      | 10.00 | 20.00 |',
      '| B    | STS       | cosine_spearman | 50.00 | 75.00 |',
      '| C    | STS       | cosine_spearman | 25.00 | 25.00 |',
      '',
    ]
  )


def test_local_files_have_no_means():
  text = whole(*TASKS, benchmark=None).to_markdown()
  assert 'Mean' not in text and 'Gemini' not in text
  assert '| A    | Retrieval | ndcg_at_10      | 10.00 | 20.00 |' in text


def test_a_mean_over_some_of_the_tasks_is_none():
  found = whole(*TASKS, scores('D', 'STS'), unreachable={'D': 'no network'})
  means = summary.means(found.lists[0], 8)
  assert means == {
    'Mean (Task)': None,
    'Mean (Type)': None,
    'Retrieval': pytest.approx(10),
    'STS': None,
  }
  assert found.to_markdown().endswith('## Not evaluated\n\n- D: no network\n')


def test_columns_stand_in_the_order_of_the_report():
  kinds = (
    'STS',
    'Summarization',
    'InstructionReranking',
    'InstructionRetrieval',
    'BitextMining',
    'Regression',
  )
  found = whole(*(scores(kind, kind, p8=0.5) for kind in kinds))
  assert list(summary.means(found.lists[0], 8)) == [
    'Mean (Task)',
    'Mean (Type)',
    'Bitext Mining',
    'Instruction Retrieval',
    'STS',
    'Summarization',
    'Regression',
  ]


@pytest.mark.parametrize('name', summary.REPORT)
def test_the_reports_mean_over_types_is_that_of_its_columns(name):
  row = dict(summary.REPORT[name])
  del row['Mean (Task)']
  of_types = row.pop('Mean (Type)')
  assert of_types == pytest.approx(sum(row.values()) / len(row), abs=0.05)


def test_json_has_the_scores_and_the_means_and_no_nan():
  found = whole(*TASKS, scores('D', 'Clustering', p8=float('nan'), p16=1.0))
  content = json.loads(json.dumps(found.to_json(), allow_nan=False))
  (of_list,) = content['lists']
  assert of_list['tasks'][3]['scores'] == {'8': None, '16': 1.0}
  assert of_list['means']['8']['Mean (Task)'] is None
  assert of_list['means']['16']['Clustering'] == 100
  assert '| D    | Clustering | ' in found.to_markdown()
