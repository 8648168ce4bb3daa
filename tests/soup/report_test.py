import pytest

from gemb.soup.report import Row, markdown_table

ROWS = [
  Row(
    name='a@8',
    weight=0.25,
    scores={
      'bitext/accuracy@4': 0.5,
      'bitext/accuracy@8': 0.75,
      'docs/ndcg@10@4': 0.25,
      'docs/ndcg@10@8': 0.5,
    },
  ),
  Row(
    name='soup',
    weight=None,
    scores={
      'bitext/accuracy@4': 0.5,
      'bitext/accuracy@8': 0.7,
      'docs/ndcg@10@4': 0.5,
      'docs/ndcg@10@8': 0.6,
    },
  ),
]


def cells(table):
  return [
    [cell.strip() for cell in line.strip('|').split('|')]
    for line in table.splitlines()
  ]


def test_models_stand_beside_each_other_at_each_prefix():
  head, _, *body = cells(markdown_table(ROWS))
  assert head[:3] == ['prefix', 'model', 'weight']
  assert head[3:] == ['bitext: accuracy', 'docs: nDCG@10', 'mean']
  assert body == [
    ['4', 'a@8', '0.25', '**50.0**', '25.0', '37.5'],
    ['4', 'soup', '–', '**50.0**', '**50.0**', '**50.0**'],
    ['8', 'a@8', '0.25', '**75.0**', '50.0', '62.5'],
    ['8', 'soup', '–', '70.0', '**60.0**', '**65.0**'],
  ]


@pytest.mark.parametrize('rows', [[Row(name='a@8', weight=1.0, scores={})]])
def test_without_held_out_tasks_there_is_no_table(rows):
  assert 'no held-out tasks' in markdown_table(rows)
