import dataclasses
import json
import shutil

import pytest

from gemb.data.weights import Licence
from gemb.export.model_card import make_model_card
from gemb.train.integrity import replace_file
from gemb.workdir import Workdir


@pytest.fixture
def run(trained):
  return trained[0]


@pytest.fixture
def workdir(trained, tmp_path):
  """Returns a copy of the trained run's folder, without its checkpoints."""
  _, original = trained
  for path in original.config, original.about:
    shutil.copy(path, tmp_path)
  return Workdir(tmp_path)


def card(run, workdir, **changes):
  options = {
    'step': 10,
    'dtype': 'float32',
    'max_length': 32,
    'licence': None,
  }
  return make_model_card(run, workdir, **(options | changes))


def write_results(workdir, step):
  row = {
    'system': 'gemb',
    'prefix': 16,
    'task': 'words',
    'kind': 'retrieval',
    'metrics': {'ndcg@10': 0.375},
  }
  workdir.results.write_text(json.dumps({'step': step, 'rows': [row]}))


def test_the_hub_finds_what_it_asks_for_at_the_top(run, workdir):
  head = card(run, workdir).split('---\n')[1].splitlines()
  assert 'library_name: sentence-transformers' in head
  assert 'pipeline_tag: sentence-similarity' in head
  assert head[head.index('tags:') :] == [
    'tags:',
    '- sentence-transformers',
    '- sentence-similarity',
    '- feature-extraction',
    '- gemb',
  ]


def test_it_says_what_the_model_is_and_how_it_was_trained(run, workdir):
  text = ' '.join(card(run, workdir).split())
  for fact in (
    'a bidirectional Gemma 3 transformer of 2 layers',
    'projection to 16 dimensions',
    'The first 4, 8, 16 dimensions',
    'cut after 32 tokens',
    'Stage: finetune, 10 steps of 32 pairs, 1 hard negatives each.',
    '| golden_pairs | 1.0 | sentence similarity |',
    'Initial parameters: random.',
    'temperature 0.05',
  ):
    assert fact in text
  assert 'commit' in text and 'jax 0.' in text


def test_it_ends_with_the_whole_configuration(run, workdir):
  config = workdir.config.read_text().strip()
  assert card(run, workdir).endswith(f'```\n{config}\n```\n')


def test_a_prompt_stays_in_its_cell(run, workdir):
  line = r'| query | `task: search result \| query: ` |'
  assert line in card(run, workdir).splitlines()


def test_templates_of_ones_own_are_shown(run, workdir):
  data = dataclasses.replace(
    run.data,
    prompts={**run.data.prompts, 'golden_pairs': ('q|{text}', '{text}')},
  )
  text = card(dataclasses.replace(run, data=data), workdir)
  assert r"| golden_pairs | 1.0 | ('q\|{text}', '{text}') |" in text


def test_scores_are_shown_if_they_are_of_this_checkpoint(run, workdir):
  assert '## Scores' not in card(run, workdir)
  write_results(workdir, step=8)
  assert '## Scores' not in card(run, workdir)
  write_results(workdir, step=10)
  assert '37.5' in card(run, workdir).partition('## Scores')[2]


def write_contamination(trained, workdir, summary):
  """Copies the checkpoint of step 10, with a summary for its one task."""
  _, original = trained
  shutil.copytree(original.checkpoints / '10', workdir.checkpoints / '10')
  checkpoint = workdir.checkpoints / '10'
  about = json.loads((checkpoint / 'about' / 'metadata').read_text())
  about['data']['tasks']['golden_pairs']['contamination'] = summary
  replace_file(checkpoint, 'about/metadata', json.dumps(about))


SUMMARY = {
  'examples': 12345,
  'exact': 7,
  'containing': 2,
  'near': 3,
  'dropped': 11,
  'sets': ['questions', 'tatoeba'],
}


def test_contamination_is_told_as_the_checkpoint_knows_it(
  run, workdir, trained
):
  write_contamination(trained, workdir, SUMMARY)
  section = card(run, workdir).partition('## Contamination\n')[2]
  assert '| golden_pairs | 12,345 | 7 | 2 | 3 | 11 |\n' in section
  assert 'that were compared: questions, tatoeba.\n' in section
  assert 'No comparison' not in section


def test_no_section_claims_a_comparison_that_was_not_made(
  run, workdir, trained
):
  assert card(run, workdir).count('No comparison of the training data') == 1
  write_contamination(trained, workdir, None)
  assert card(run, workdir).count('No comparison of the training data') == 1


def test_the_licence_of_the_initial_weights_is_passed_on(run, workdir):
  without = card(run, workdir)
  assert 'license:' not in without and '## Licence' not in without
  licence = Licence(name='Gemma Terms of Use (https://a.example)')
  text = card(run, workdir, licence=licence)
  assert 'license: other' in text.split('---\n')[1]
  assert f'The initial weights come under the {licence.name},' in text
  assert 'The folder `licence`' not in text
  licence = Licence(name='Terms', pass_on=(workdir.root / 'NOTICE.md',))
  assert 'The folder `licence`' in card(run, workdir, licence=licence)


def test_the_releases_that_are_needed_are_named(run, workdir, begin):
  assert 'pip install sentence-transformers\n' in card(run, workdir)
  for name, family in (
    ('gemma1_bidir', 'Gemma 1'),
    ('gemma2_bidir_softcap', 'Gemma 2'),
  ):
    other, _ = begin(name)
    text = card(other, workdir)
    assert family in text
    assert 'pip install sentence-transformers "transformers>=5"\n' in text
    assert f'Initial parameters: {other.pretrained.path}.' in text


def test_a_bfloat16_folder_says_how_to_compute_in_float32(run, workdir):
  wide = "model_kwargs={'dtype': 'float32'}"
  assert wide not in card(run, workdir)
  assert wide in card(run, workdir, dtype='bfloat16')
