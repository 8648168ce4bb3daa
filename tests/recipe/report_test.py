"""The recipe's report: hand-worked tables of literal results."""

import dataclasses
import json
import re

import pytest

# {folder: {system: accuracy in German and French, nDCG of docstrings at 64 and
# 256 dimensions}}
SCORES = {
  '01_prefinetune': {
    'untrained': ((0.0, 0.2), (0.1, 0.1)),
    'gemb': ((0.2, 0.4), (0.3, 0.5)),
    'bm25': ((0.1, 0.1), (None, 0.6)),
  },
  '02_finetune_task': {
    'gemb': ((0.2, 0.4), (0.4, 0.64)),
    'parent': ((0.2, 0.4), (0.3, 0.5)),
  },
  '02_finetune_language': {'gemb': ((0.4, 0.6), (0.2, 0.4))},
  '02_finetune_code': {'gemb': ((0.2, 0.4), (0.5, 0.5))},
  '03_soup': {'gemb': ((0.4, 0.6), (0.5, 0.7))},
}


def results(systems):
  """Returns the rows of results.json."""
  rows = []
  for system, ((german, french), found) in systems.items():
    prefixes = (None,) if system == 'bm25' else (64, 256)
    for prefix in prefixes:
      rows.append(
        {
          'system': system,
          'prefix': prefix,
          'task': 'bitext',
          'kind': 'bitext',
          'metrics': {'accuracy': (german + french) / 2},
          'by_language': {'de': german, 'fr': french},
        }
      )
      rows.append(
        {
          'system': system,
          'prefix': prefix,
          'task': 'networkx_docstrings',
          'kind': 'retrieval',
          'metrics': {'ndcg@10': found[prefix != 64], 'mrr@10': 0.0},
        }
      )
  return {'rows': rows}


def mined(number, grade, *negatives):
  passage = {'text': f'passage {number}', 'similarity': 0.5, 'grade': grade}
  passage['likelihood'] = None
  return {
    'id': str(number),
    'language': 'en',
    'query': f'how <b>{number}</b>',
    'positive': passage,
    'candidates': [passage],
    'negatives': list(negatives),
  }


@pytest.fixture
def recipe(tools, write_rows, tmp_path):
  """Returns a finished recipe, as its commands would have left it."""
  stages = tools('recipe_stages')
  curation = tmp_path / 'curation.gin'
  curation.write_text(
    'from __gin__ import dynamic_registration\n'
    'from gemb.curation import config\n'
    "config.Curation.tasks = ('aws_commands',)\n"
    'config.Curation.synthesis = @config.SynthesisConfig()\n'
    "config.SynthesisConfig.classes = ('sentiment',)\n"
  )
  made = stages.make_recipe(tmp_path, small=True, curation=(str(curation),))
  for folder, systems in SCORES.items():
    (tmp_path / folder).mkdir()
    text = json.dumps(results(systems))
    (tmp_path / folder / 'results.json').write_text(text)
  about = {'devices': 1, 'device': 'cpu', 'commit': 'c0ffee', 'versions': {}}
  (tmp_path / '01_prefinetune/about.json').write_text(json.dumps(about))
  entries = {
    stage.name: {
      'command': ['gemb', *stage.words],
      'config': {},
      'after': {},
      'seconds': 6.0,
    }
    for stage in stages.make_stages(made)
  }
  (tmp_path / 'recipe.json').write_text(json.dumps(entries))
  one, two, three = mined(1, None), mined(2, None, 'no'), mined(3, 2.5, 'nay')
  task = made.curated / 'aws_commands'
  write_rows(task.with_suffix('.mined.jsonl'), one, two, mined(3, None, 'no'))
  write_rows(task.with_suffix('.scored.jsonl'), one, two, three)
  write_rows(task.with_suffix('.filtered.jsonl'), one, three)
  write_rows(
    task.with_suffix('.dropped.jsonl'), {'id': '2', 'reason': 'quality'}
  )
  text = {'id': '1', 'query': 'a fine film', 'label': 'positive'}
  write_rows(made.curated / 'synthetic_sentiment.jsonl', text)
  write_rows(
    made.curated / 'written_sentiment.jsonl',
    text | {'dropped': None},
    {'id': '2', 'query': '-', 'dropped': 'empty'},
  )
  return made


@pytest.fixture
def tables(tools, recipe):
  """Returns {title: lines of the table}."""
  found = tools('recipe_results').gather(recipe)
  made = tools('recipe_report').make_tables(found)
  return {table.title: table for table in made}


def test_the_score_is_the_mean_over_tasks_at_each_prefix(tables):
  table = tables['Score after each stage']
  assert table.lines == [
    ['model', '64', '256', 'gain'],
    ['0 untrained', '10.0', '10.0', '-30.0'],
    ['1 pre-finetuned', '30.0', '40.0', '+0.0'],
    ['2 finetuned: code', '40.0', '40.0', '+0.0'],
    ['2 finetuned: language', '35.0', '45.0', '+5.0'],
    ['2 finetuned: task', '35.0', '47.0', '+7.0'],
    ['3 soup', '50.0', '60.0', '+20.0'],
    ['BM25', '35.0', '35.0', '-5.0'],
  ]
  # The soup, in all three columns; the name is not compared.
  assert table.best == [*[set()] * 5, {1, 2, 3}, set()]


def test_each_kind_of_task_has_its_own_column(tables):
  assert tables['By kind of task'].lines[:3] == [
    ['model', 'bitext', 'code retrieval'],
    ['0 untrained', '10.0', '10.0'],
    ['1 pre-finetuned', '30.0', '50.0'],
  ]


def test_each_task_is_told_at_each_prefix_by_its_own_metric(tables):
  lines = tables['By task, at each prefix'].lines
  assert lines[0] == [
    'model',
    'prefix',
    'bitext: accuracy',
    'networkx_docstrings: nDCG@10',
  ]
  assert lines[3:5] == [
    ['1 pre-finetuned', '64', '30.0', '30.0'],
    ['1 pre-finetuned', '256', '30.0', '50.0'],
  ]
  assert lines[-1] == ['BM25', '–', '10.0', '60.0']


def test_languages_are_told_from_the_best_of_the_soup_on(tables):
  lines = tables['Translations by language'].lines
  assert [line[0] for line in lines] == ['language', 'fr', 'de']
  assert lines[1][1:3] + lines[1][-2:] == ['20.0', '40.0', '60.0', '10.0']


def test_time_is_told_by_stage_and_in_all(tables):
  lines = tables['Wall time'].lines
  assert lines[1] == ['00_data', '6']
  assert lines[-1] == ['all', '90']  # 15 stages


def test_curation_is_counted_by_what_became_of_the_examples(tables):
  assert tables['Curation'].lines == [
    ['', 'mined', 'with a negative', 'scored', 'kept', 'dropped: quality'],
    ['aws_commands', '3', '2', '1', '2', '1'],
  ]
  assert tables['Written by the language model'].lines == [
    ['', 'kept', 'dropped: empty'],
    ['sentiment', '1', '1'],
  ]


def test_the_summary_compares_the_soup_with_the_best_ingredient(tools, recipe):
  found = tools('recipe_results').gather(recipe)
  summary = tools('recipe_report').summary
  assert summary(found) == (
    'Mean over 2 held-out tasks at 256 dimensions: 40.0% after '
    'pre-finetuning, 47.0% after the best finetuning (task), 60.0% as a soup, '
    'in 1.5 minutes. One seed: small differences mean nothing.'
  )
  some = [row for row in found.rows if row['system'] != '3 soup']
  lacking = dataclasses.replace(found, rows=some)
  assert summary(lacking) == 'Not every model was judged on every task.'


def test_the_page_is_whole_and_needs_nothing_else(tools, recipe):
  path = tools('recipe_report').write_report(recipe)
  assert path == recipe.workdir / 'report.html'
  text = path.read_text()
  assert text.startswith('<!doctype html>')
  assert text.count('<svg') == 4  # by prefix, kind and language; time
  assert '<td class="best">60.0</td>' in text
  # The judged example, and not the first.
  assert 'how &lt;b&gt;3&lt;/b&gt;' in text and '<b>3</b>' not in text
  assert 'passage 1' not in text and 'nay' in text and 'a fine film' in text
  assert 'gemb mine --gin_file=' in text
  addresses = re.findall(r'(?:src|href)="[^#"]*"|url\([^#)]*\)', text)
  assert addresses == []
  told = (recipe.workdir / 'report.md').read_text()
  assert '| 3 soup                | 50.0 | 60.0 | +20.0 |' in told
  found = json.loads((recipe.workdir / 'report.json').read_text())
  assert found['kinds']['networkx_docstrings'] == 'code retrieval'
  assert len(found['rows']) == 26


def test_without_a_language_model_the_mined_negatives_are_told(tools, recipe):
  alone = dataclasses.replace(recipe, language_model=False)
  found = tools('recipe_results').gather(alone)
  assert found.counts == {'aws_commands': {'mined': 3, 'with a negative': 2}}
  assert found.written == {}
  assert found.samples['aws_commands'][0] == {
    'query': 'how <b>2</b>',
    'positive': 'passage 2',
    'hard negative': 'no',
  }
