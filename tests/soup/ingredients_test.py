import dataclasses
import pathlib

import pytest

from gemb import config
from gemb.soup import ingredients
from gemb.soup.ingredients import find_ingredients, prompts_that_differ
from gemb.workdir import find_workdir


@pytest.fixture
def other_about(monkeypatch):
  """Has every checkpoint of step 10 be of another model."""
  about = ingredients.Checkpoints.about

  def change(change_about):
    def changed(self, step):
      found = about(self, step)
      if step == 10:
        change_about(found)
      return found

    monkeypatch.setattr(ingredients.Checkpoints, 'about', changed)

  return change


def names(found):
  return [ingredient.name for ingredient in found]


def test_steps_are_named_and_all_of_them_in_their_order(tiny_run):
  both = [f'{tiny_run}@8', f'{tiny_run}@10']
  assert names(find_ingredients([f'{tiny_run}@all'])) == both
  assert names(find_ingredients([f'{tiny_run}', f'{tiny_run}@8'])) == both[::-1]


def test_an_ingredient_knows_its_run(tiny_run):
  first, _ = find_ingredients([f'{tiny_run}@all'])
  run, text = config.load([str(tiny_run / 'config.gin')])
  assert (first.run, first.config_text, first.step) == (run, text, 8)
  assert first.identity().keys() == {'workdir', 'step', 'config'}
  assert len(first.identity()['config']) == 16


def test_a_soup_among_the_ingredients_is_told_by_its_recipe(tiny_run):
  first, _ = find_ingredients([f'{tiny_run}@all'])
  about = first.about | {'soup': {'method': 'uniform'}}
  soup = dataclasses.replace(first, about=about)
  assert soup.identity() == first.identity() | {'soup': {'method': 'uniform'}}


@pytest.mark.parametrize(
  ('name', 'complaint'),
  [
    ('{run}@9', r'no checkpoint of step 9; it has \[8, 10\]'),
    ('{run}@last', 'run@last holds no run'),
    ('nowhere', 'nowhere holds no run'),
  ],
)
def test_a_checkpoint_that_is_not_there_is_refused(name, complaint, tiny_run):
  with pytest.raises((ValueError, OSError), match=complaint):
    find_ingredients([f'{tiny_run}@8', name.format(run=tiny_run)])


def test_a_run_without_checkpoints_is_refused(tiny_run, tmp_path):
  text = find_workdir(tiny_run).config.read_text()
  pathlib.Path(tmp_path / 'config.gin').write_text(text)
  with pytest.raises(ValueError, match='has no checkpoint yet'):
    find_ingredients([f'{tiny_run}', f'{tmp_path}'])


def test_another_architecture_is_refused(tiny_run, other_about):
  other_about(lambda about: about['model'].update(embedding_width=24))
  with pytest.raises(ValueError) as refusal:
    find_ingredients([f'{tiny_run}@all'])
  assert str(refusal.value).startswith(
    f'{tiny_run}@8 and {tiny_run}@10 have different architectures: '
    'embedding_width was 16, is 24. Only checkpoints of one model'
  )


def test_another_tokenizer_is_refused(tiny_run, other_about):
  other_about(lambda about: about['data'].update(tokenizer='0123'))
  with pytest.raises(ValueError, match=r"different tokenizers: .* is '0123'"):
    find_ingredients([f'{tiny_run}@all'])


def test_tasks_are_told_whose_prompts_differ(tiny_run):
  first, second = find_ingredients([f'{tiny_run}@all'])
  assert prompts_that_differ([first, second]) == []
  prompts = dict(first.run.data.prompts) | {'golden_pairs': 'clustering'}
  data = dataclasses.replace(first.run.data, prompts=prompts)
  other = dataclasses.replace(
    second, run=dataclasses.replace(second.run, data=data)
  )
  assert prompts_that_differ([first, other]) == ['golden_pairs']
