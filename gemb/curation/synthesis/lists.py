"""Long lists that a language model writes, and their tails.

Source: Gemini Embedding (arXiv:2503.07891), section 4.2: what comes late in a
long list is more diverse than what comes to the mind first.
"""

import math
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from gemb.curation import prompts
from gemb.curation.config import SynthesisConfig
from gemb.curation.journal import Journal, hold
from gemb.curation.language_model import LanguageModel
from gemb.curation.synthesis.writing import find_fault
from gemb.data.examples import normalise
from gemb.data.records import text_id

_AT_ONCE = 16  # lists that are asked for together, and then on disk
_LONGEST = 120  # characters of an item
_TOKENS = 20  # of an item
_NUMBER = re.compile(r'\s*\d+[.)]\s+')


def write_lists(
  of: str,
  values: Sequence[Mapping[str, str]],
  *,
  config: SynthesisConfig,
  model: LanguageModel,
  folder: pathlib.Path,
  about: Mapping[str, Any],
) -> list[list[str]]:
  """Returns a list for each of `values`, and keeps them in `listed_OF.jsonl`.

  Args:
    of: what the items are; the prompt is OF_v1.
    values: of the prompt, but the number of items.
    config: `items` are asked for; a list can be shorter, or empty.
    model: that writes.
    folder: of the file.
    about: what the values depend on, as JSON.

  Raises:
    OSError: if the folder cannot be written.
    ValueError: if it holds other work, or another process writes there.
  """
  prompt = prompts.load(f'{of}_v1')
  made_from = {
    'kind': 'lists',
    'prompt': prompt.name,
    'model': model.identity,
    'seed': config.seed,
    'temperature': config.temperature,
    'items': config.items,
  }
  path = folder / f'listed_{of}.jsonl'
  with hold(path):
    listed = Journal(path, made_from | dict(about))
    for start in range(listed.done, len(values), _AT_ONCE):
      block = values[start : start + _AT_ONCE]
      asked = [prompt.fill(items=str(config.items), **each) for each in block]
      answers = model.complete(
        asked,
        seeds=[text_id(f'{config.seed}/{text}') % 2**31 for text in asked],
        max_tokens=_TOKENS * config.items,
        temperature=config.temperature,
        stop='\n\n',
      )
      listed.add(
        dict(each) | {of: read_items(answer or '', text, config.items)}
        for each, text, answer in zip(block, asked, answers, strict=True)
      )
    if not listed.finished:
      listed.finish()
    return [row[of] for row in listed.rows()]


def read_items(answer: str, prompt: str, most: int) -> list[str]:
  r"""Returns the different items of a list that begins within its first one.

  Args:
    answer: lines with numbers, but for the first, whose number the prompt has.
    prompt: what stands in it is no item.
    most: items that are read; the last of fewer may have been cut short, and is
      left out.

  >>> read_items('a pen\n2. a cup\n3. A cup!\n4. --\n5. a f', 'Things:\n1.', 9)
  ['a pen', 'a cup']
  """
  lines = answer.split('\n')
  found: dict[str, str] = {}
  for line in lines[:most] if len(lines) >= most else lines[:-1]:
    item = ' '.join(_NUMBER.sub('', line, count=1).split())
    if find_fault(item, prompt, _LONGEST) is None:
      found.setdefault(normalise(item), item)
  return list(found.values())


def tail(items: Sequence[str], share: float) -> list[str]:
  """Returns the last items, a share of all, rounded up.

  >>> tail(['a', 'b', 'c', 'd', 'e'], 0.5)
  ['c', 'd', 'e']
  """
  return list(items[len(items) - math.ceil(len(items) * share) :])
