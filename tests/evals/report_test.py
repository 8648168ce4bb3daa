"""The report: whole, self-contained and safe."""

import html.parser
import re
import xml.etree.ElementTree as ElementTree

import pytest

from gemb.evals import report

_VOID = {'meta', 'br', 'hr', 'img', 'link', 'input'}


class _Page(html.parser.HTMLParser):
  """Collects what a test asks of a page, and checks that tags nest."""

  def __init__(self, text):
    super().__init__()
    self.open, self.attributes, self.text = [], [], []
    self.tags, self.cells, self.bold = [], [], []
    self.ids = []
    self.feed(text)
    self.close()

  def handle_starttag(self, tag, attrs):
    self.tags.append(tag)
    self.attributes += [(tag, name, value or '') for name, value in attrs]
    if tag not in _VOID:
      self.open.append((tag, dict(attrs)))

  def handle_startendtag(self, tag, attrs):
    self.tags.append(tag)
    self.attributes += [(tag, name, value or '') for name, value in attrs]

  def handle_endtag(self, tag):
    assert self.open and self.open.pop()[0] == tag

  def handle_data(self, data):
    self.text.append(data)
    if self.open and self.open[-1][0] in ('td', 'th'):
      self.cells.append(data)
      if self.open[-1][1].get('class') == 'best':
        self.bold.append(data)


def _bitext(system, prefix, accuracy):
  return {
    'system': system,
    'prefix': prefix,
    'task': 'wagtail',
    'kind': 'bitext',
    'metrics': {'accuracy': accuracy},
    'by_language': {'de': accuracy + 0.1, 'fr': accuracy - 0.01},
    'candidates': 500,
    'queries': 12345,
  }


def _retrieval(system, prefix, base, task='code'):
  names = ['mrr@10', 'recall@1', 'recall@5', 'recall@10', 'ndcg@10']
  return {
    'system': system,
    'prefix': prefix,
    'task': task,
    'kind': 'retrieval',
    'metrics': {name: base + 0.01 * n for n, name in enumerate(names)},
    'candidates': 1000,
    'queries': 900,
  }


_RESULTS = {
  'step': 4000,
  'rows': [
    _bitext('gemb', 64, 0.234),
    _bitext('gemb', 256, 0.345),
    _bitext('untrained', 256, 0.012),
    _bitext('bm25', None, 0.023),
    _retrieval('gemb', 256, 0.456),
    _retrieval('bm25', None, 0.567),
  ],
  'similarities': {
    'wagtail': {
      'positive': [1, 5, 9],
      'negative': [9, 5, 1],
      'edges': [-1.0, 0.0, 0.5, 1.0],
    }
  },
}
_METRICS = [
  {'step': 10, 'loss': 3.2, 'loss/64': 1.7, 'loss/256': 1.5, 'accuracy': 0.2},
  {'step': 20, 'loss': 2.2, 'loss/64': 1.2, 'loss/256': 1.0, 'accuracy': 0.4},
  {'step': 20, 'eval/wagtail/accuracy@256': 0.3},
]


def _write(tmp_path, **changes):
  content = {
    'results': _RESULTS,
    'metrics': _METRICS,
    'config_text': 'train.steps = 4000\n',
    'title': 'quickstart',
    'about': {'steps': 4000, 'jax': '0.10.2'},
  } | changes
  path = report.write_report(tmp_path / 'run' / 'report.html', **content)
  return path.read_text(encoding='utf-8')


@pytest.fixture(scope='module')
def text(tmp_path_factory):
  return _write(tmp_path_factory.mktemp('report'))


def test_nothing_outside_the_file_is_referred_to(text):
  page = _Page(text)
  assert not {'script', 'link', 'img', 'iframe', 'object', 'base'} & set(
    page.tags
  )
  for _, name, value in page.attributes:
    if name in ('href', 'xlink:href', 'src'):
      assert value.startswith('#')
    elif not name.startswith('xmlns'):
      assert '//' not in value
  assert '@import' not in text
  for target in re.findall(r'url\(([^)]*)\)', text):
    assert target.startswith('#')


def test_what_a_plot_refers_to_is_in_the_page(text):
  ids = set(re.findall(r' id="([^"]+)"', text))
  assert set(re.findall(r'url\(#([^)]*)\)', text)) <= ids
  assert set(re.findall(r'href="#([^"]*)"', text)) <= ids


def test_all_tags_are_closed(text):
  assert not _Page(text).open


def test_the_numbers_of_every_row_stand_in_the_table(text):
  cells = _Page(text).cells
  for row in _RESULTS['rows']:
    for value in row['metrics'].values():
      assert f'{100 * value:.1f}' in cells
  assert {'gemb', 'untrained', 'BM25', '64', '256', '–'} <= set(cells)


def test_the_best_of_each_column_is_bold(text):
  # Columns: bitext accuracy, then nDCG@10, MRR@10 and recall at 1, 5, 10.
  bold = _Page(text).bold
  assert sorted(bold) == sorted(
    ['34.5', '60.7', '56.7', '57.7', '58.7', '59.7']
  )


def test_every_plot_has_a_caption(text):
  page = _Page(text)
  figures = page.tags.count('figure')
  assert figures == page.tags.count('svg') == page.tags.count('figcaption') == 8


def test_config_and_summary_are_in_the_page(text):
  shown = ' '.join(_Page(text).text)
  for part in ('train.steps = 4000', 'quickstart', '0.10.2', 'step 4,000'):
    assert part in shown


def test_markup_in_names_is_shown_and_not_obeyed(tmp_path):
  evil = '<script>alert("x")</script>'
  text = _write(
    tmp_path,
    title=evil,
    config_text=f'name = {evil}\n</pre></details>',
    about={evil: evil},
    results={
      'step': 1,
      'rows': [_retrieval(evil, 64, 0.5, task=evil)],
    },
  )
  page = _Page(text)
  assert 'script' not in page.tags
  assert not page.open
  assert ''.join(page.text).count(evil) >= 6


def test_a_run_without_evaluation_gets_the_plots_of_its_training(tmp_path):
  page = _Page(_write(tmp_path, results={}, about=None))
  assert page.tags.count('svg') == 4
  assert 'table' not in page.tags
  assert 'No evaluation yet' in ''.join(page.text)


def test_a_run_without_anything_still_gets_a_page(tmp_path):
  page = _Page(_write(tmp_path, results={}, metrics=[]))
  assert 'svg' not in page.tags
  assert 'train.steps = 4000' in ''.join(page.text)


def test_the_report_is_replaced_in_one_piece(tmp_path):
  _write(tmp_path, title='first')
  assert 'second' in _write(tmp_path, title='second')
  assert [file.name for file in (tmp_path / 'run').iterdir()] == ['report.html']


def test_a_write_that_fails_leaves_the_old_report(tmp_path, monkeypatch):
  before = _write(tmp_path)

  def fail(*_):
    raise OSError('disk full')

  monkeypatch.setattr(report.os, 'replace', fail)
  with pytest.raises(OSError, match='disk full'):
    _write(tmp_path, title='second')
  folder = tmp_path / 'run'
  assert [file.name for file in folder.iterdir()] == ['report.html']
  assert (folder / 'report.html').read_text(encoding='utf-8') == before


def test_results_of_unknown_kind_write_nothing(tmp_path):
  rows = [{**_bitext('gemb', 64, 0.2), 'kind': 'clustering'}]
  with pytest.raises(ValueError, match="'clustering'"):
    _write(tmp_path, results={'rows': rows})
  assert not (tmp_path / 'run').exists()


def test_the_plots_are_saved_as_svg_files(tmp_path):
  paths = report.save_plots(
    tmp_path / 'plots', results=_RESULTS, metrics=_METRICS
  )
  assert sorted((tmp_path / 'plots').iterdir()) == sorted(paths)
  assert {path.name for path in paths} == {
    'training_loss.svg',
    'training_loss_by_prefix.svg',
    'in_batch_accuracy.svg',
    'held_out_quality.svg',
    'wagtail_by_dimension.svg',
    'code_by_dimension.svg',
    'wagtail_by_language.svg',
    'wagtail_similarities.svg',
  }
  for path in paths:
    assert ElementTree.parse(path).getroot().tag.endswith('}svg')
