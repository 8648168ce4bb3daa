"""Task strings: how a text is dressed before it is tokenised.

Source: Gemini Embedding (arXiv:2503.07891), section 3.2: each query is
prefixed with a task string. The report does not print its templates; these
are the published ones of the family (EmbeddingGemma, arXiv:2509.20354, section
2.2, and the Gemini API's documentation).
"""

import dataclasses
import difflib

_QUERY = 'task: {task} | query: {{text}}'
_NO_TITLE = 'title: none'
_PASSAGE = f'{_NO_TITLE} | text: {{text}}'

# A query looks for passages of another kind.
ASYMMETRIC = (
  'search result',
  'question answering',
  'fact checking',
  'code retrieval',
)
# Both sides are texts of one kind, and are dressed alike.
SYMMETRIC = ('sentence similarity', 'classification', 'clustering')

# The task string of each of MTEB's types of task. Bitext and summaries go with
# the Gemini API's task types, pairs with EmbeddingGemma's model card.
BY_MTEB_TYPE = {
  'Retrieval': 'search result',
  'Reranking': 'search result',
  'InstructionRetrieval': 'search result',
  'InstructionReranking': 'search result',
  'BitextMining': 'sentence similarity',
  'STS': 'sentence similarity',
  'PairClassification': 'sentence similarity',
  'Summarization': 'sentence similarity',
  'Classification': 'classification',
  'MultilabelClassification': 'classification',
  'ZeroShotClassification': 'classification',
  'Regression': 'classification',
  'Clustering': 'clustering',
}


@dataclasses.dataclass(frozen=True)
class Prompt:
  """A pair of templates, each with the placeholder {text}.

  Attributes:
    query: dresses queries.
    passage: dresses positives and hard negatives.
  """

  query: str
  passage: str

  def __post_init__(self):
    for name, template in dataclasses.asdict(self).items():
      if template.count('{text}') != 1:
        raise ValueError(
          f'The {name} template {template!r} must hold {{text}} once, where '
          'the text goes.'
        )

  def dress_query(self, text: str) -> str:
    """Returns the text that is tokenised for a query.

    >>> make_prompt('code retrieval').dress_query('sort a list')
    'task: code retrieval | query: sort a list'
    """
    return self.query.replace('{text}', text)

  def dress_passage(self, text: str, title: str = '') -> str:
    """Returns the text that is tokenised for a positive or hard negative.

    >>> make_prompt('code retrieval').dress_passage('def sort(): ...')
    'title: none | text: def sort(): ...'
    >>> make_prompt('search result').dress_passage('A city.', title='Rome')
    'title: Rome | text: A city.'
    >>> make_prompt('sentence similarity').dress_passage('Good morning')
    'task: sentence similarity | query: Good morning'
    """
    before, after = self.passage.split('{text}')
    if title:
      before = before.replace(_NO_TITLE, f'title: {title}')
    return before + text + after

  def without_task(self) -> 'Prompt':
    """Returns the prompt of the same task when nobody says which it is.

    Queries are bare then, and so are passages that are dressed like them.

    >>> make_prompt('code retrieval').without_task()
    Prompt(query='{text}', passage='title: none | text: {text}')
    >>> make_prompt('sentence similarity').without_task()
    Prompt(query='{text}', passage='{text}')
    """
    alike = self.passage == self.query
    return Prompt('{text}', '{text}' if alike else self.passage)


def make_prompt(task: str | tuple[str, str]) -> Prompt:
  """Returns the templates of one of the family's tasks, or one's own.

  Args:
    task: a name in `ASYMMETRIC` or `SYMMETRIC`, or a pair of templates (query,
      passage), such as ('{text}', '{text}') for none.

  Raises:
    ValueError: on an unknown name, or a template without {text}.
  """
  if isinstance(task, tuple):
    return Prompt(*task)
  known = ASYMMETRIC + SYMMETRIC
  if task not in known:
    near = difflib.get_close_matches(task, known, n=2, cutoff=0)
    raise ValueError(
      f'Unknown task string {task!r}; the nearest are {near}. Name one of '
      f"{known}, or give two templates: ('{{text}}', '{{text}}')."
    )
  query = _QUERY.format(task=task)
  return Prompt(query, query if task in SYMMETRIC else _PASSAGE)
