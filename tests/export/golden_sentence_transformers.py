"""What sentence-transformers makes of exported folders, for the tests.

    python golden_sentence_transformers.py TEXTS OUTPUT FOLDER...

TEXTS has a JSON string a line. OUTPUT/NAME.npz is written for each FOLDER of
that NAME:

  prompts           names and prompts, as JSON
  ids, lengths      of the texts, padded behind with 0
  batched/PROMPT    embeddings of all texts, by the prompt itself
  single/PROMPT     the same of every tenth text, or of all without a prompt,
                    one by one
  truncated/P       embeddings of all texts, with truncate_dim=P
  float32           embeddings of all texts by the model in that dtype
"""

import json
import os
import pathlib
import sys

os.environ['HF_HUB_OFFLINE'] = '1'

import numpy as np
import torch
from sentence_transformers import SentenceTransformer


def load(folder, **options):
  return SentenceTransformer(str(folder), device='cpu', **options)


def compute(folder, texts):
  model = load(folder)
  found = {'prompts': np.array(json.dumps(model.prompts))}
  ids = [model.preprocess([text])['input_ids'][0].tolist() for text in texts]
  found['lengths'] = np.array(list(map(len, ids)))
  found['ids'] = np.zeros((len(ids), found['lengths'].max()), np.int32)
  for row, text in zip(found['ids'], ids, strict=True):
    row[: len(text)] = text
  # Names that share a prompt differ in nothing else.
  names = {prompt: name for name, prompt in model.prompts.items()}
  for prompt, name in {'': None, **names}.items():
    found[f'batched/{prompt}'] = model.encode(texts, prompt_name=name)
    found[f'single/{prompt}'] = np.stack(
      [
        model.encode(text, prompt_name=name)
        for text in (texts[::10] if prompt else texts)
      ]
    )
  width = model.get_embedding_dimension()
  for prefix in (width, width // 2, width // 4):
    found[f'truncated/{prefix}'] = model.encode(texts, truncate_dim=prefix)
  wide = load(folder, model_kwargs={'dtype': torch.float32})
  return found | {'float32': wide.encode(texts)}


def main(texts, output, *folders):
  torch.set_num_threads(1)  # such small models only lose time with more
  with open(texts, encoding='utf-8') as lines:
    texts = [json.loads(line) for line in lines]
  for folder in map(pathlib.Path, folders):
    np.savez(f'{output}/{folder.name}.npz', **compute(folder, texts))


if __name__ == '__main__':
  main(*sys.argv[1:])
