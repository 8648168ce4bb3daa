"""An exported model in MTEB, as users of sentence-transformers have it.

To be compared with `encoder.py`: both give the same scores, but where passages
have titles, which sentence-transformers cannot put before `text:`.
"""

import os
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

from gemb import prompts
from gemb.evals.mteb.encoder import Overrides, find_prompt, make_meta
from gemb.evals.mteb.tasks import TaskList


def load_exported(
  path: str | os.PathLike,
  prefixes: Sequence[int],
  lists: Iterable[TaskList],
  *,
  name: str,
  revision: str,
  overrides: Overrides,
) -> dict[int, Any]:
  """Returns a sentence-transformers folder as mteb's models, by prefix.

  mteb takes the folder's prompts by type of task. They cannot tell code from
  other text; the queries of tasks about it are told here to ask as gemb does.

  Args:
    path: of the folder.
    prefixes: dimensions to keep.
    lists: the tasks that it will be evaluated on.
    name: that mteb files results under, 'organisation/model'.
    revision: of the model.
    overrides: as the folder was exported with.
  """
  import mteb

  code = prompts.make_prompt('code retrieval')
  of_code = {
    f'{task.metadata.name}-query': code.query.removesuffix('{text}')
    for of_list in lists
    for task in of_list.tasks
    if find_prompt(task.metadata, overrides) == code
  }
  models = {}
  for prefix in prefixes:
    model = mteb.SentenceTransformerEncoderWrapper(
      str(pathlib.Path(path).absolute()), embed_dim=prefix
    )
    # Not passed, for mteb would refuse the names of local tasks.
    model.model_prompts = (model.model_prompts or {}) | of_code
    model.mteb_model_meta = make_meta(
      name,
      revision,
      prefix=prefix,
      tokens=model.model.max_seq_length,
      overrides=overrides,
    )
    models[prefix] = model
  return models
