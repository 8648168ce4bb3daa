"""The encoder as mteb sees it, without mteb: batches in, unit vectors out."""

import types

import numpy as np
import pytest

from gemb import prompts
from gemb.evals.mteb import encoder


def task(kind, *, name='some task', domains=None):
  return types.SimpleNamespace(name=name, type=kind, domains=domains)


@pytest.fixture
def asked():
  return []


@pytest.fixture
def embed(asked):
  """Remembers what it was asked, and gives each text a direction."""

  def embed_texts(texts):
    asked.append(list(texts))
    seeds = [sum(map(ord, text)) for text in texts]
    return np.stack(
      [np.random.default_rng(seed).normal(size=8) for seed in seeds]
    ).astype(np.float32)

  return embed_texts


@pytest.fixture
def model(embed):
  def make(prefix=8, **overrides):
    return encoder.MtebEncoder(
      embed=lambda texts, _: embed(texts),
      prefix=prefix,
      overrides=overrides,
      mteb_model_meta=None,
    )

  return make


@pytest.mark.parametrize('kind', prompts.BY_MTEB_TYPE)
def test_texts_of_each_type_of_task_are_dressed_by_its_task_string(
  model, asked, kind
):
  batches = [{'text': ['a', 'b']}, {'text': ['c']}]
  for side in (None, 'query'):
    model().encode(batches, task_metadata=task(kind), prompt_type=side)
  string = prompts.BY_MTEB_TYPE[kind]
  assert asked == [[f'task: {string} | query: {x}' for x in 'abc']] * 2


def test_a_document_is_a_passage_with_its_title(model, asked):
  batches = [
    {
      'id': ['1', '2'],
      'text': ['Rome A city.', 'No title.'],
      'body': ['A city.', 'No title.'],
      'title': ['Rome', ''],
    },
    {'id': ['3'], 'text': ['Untitled.'], 'body': ['Untitled.']},
  ]
  model().encode(
    batches, task_metadata=task('Retrieval'), prompt_type='document'
  )
  assert asked == [
    [
      'title: Rome | text: A city.',
      'title: none | text: No title.',
      'title: none | text: Untitled.',
    ]
  ]


def test_both_sides_of_symmetric_tasks_are_dressed_alike(model, asked):
  for side in ('query', 'document'):
    model().encode(
      [{'text': ['a']}], task_metadata=task('STS'), prompt_type=side
    )
  assert asked[0] == asked[1]


def test_retrieval_about_programming_asks_for_code():
  about_code = {'domains': ['Programming', 'Written']}
  for kind in ('Retrieval', 'Reranking'):
    found = encoder.find_prompt(task(kind, **about_code), {})
    assert found == prompts.make_prompt('code retrieval')
  found = encoder.find_prompt(task('PairClassification', **about_code), {})
  assert found == prompts.make_prompt('sentence similarity')


def test_the_prompt_of_a_task_goes_before_that_of_its_type():
  overrides = {'Retrieval': ('{text}', '{text}'), 'FEVER': 'fact checking'}
  found = encoder.find_prompt(task('Retrieval', name='FEVER'), overrides)
  assert found == prompts.make_prompt('fact checking')
  found = encoder.find_prompt(
    task('Retrieval', domains=['Programming']), overrides
  )
  assert found == prompts.Prompt('{text}', '{text}')
  found = encoder.find_prompt(task('STS'), overrides)
  assert found == prompts.make_prompt('sentence similarity')


def test_a_type_without_a_prompt_is_refused():
  message = 'No prompt is known for the task new, which is of type Poetry'
  with pytest.raises(ValueError, match=message):
    encoder.find_prompt(task('Poetry', name='new'), {})


def test_vectors_are_unit_prefixes_in_order(model, embed):
  batches = [{'text': ['a']}, {'text': ['b', 'a']}]
  found = model(3).encode(batches, task_metadata=task('STS'))
  assert found.shape == (3, 3)
  np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-6)
  dressed = [f'task: sentence similarity | query: {x}' for x in 'aba']
  whole = embed(dressed)[:, :3]
  np.testing.assert_allclose(
    found, whole / np.linalg.norm(whole, axis=1, keepdims=True), rtol=1e-6
  )


def test_a_text_of_the_task_at_hand_is_embedded_once(embed, asked):
  memory = encoder._Memory(embed)
  first = memory(['a', 'b', 'a'], 'one')
  np.testing.assert_array_equal(memory(['b', 'c'], 'one')[0], first[1])
  np.testing.assert_array_equal(memory(['a'], 'two')[0], first[0])
  assert asked == [['a', 'b'], ['c'], ['a']]


def test_the_mock_tasks_of_mteb_pass(library):
  assert len(library['mocks']) == 28
  assert {name: why for name, why in library['mocks'].items() if why} == {}
