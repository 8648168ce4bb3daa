"""Cross-entropy of Gemma 3 270M in causal mode, in nats a token.

Needs `gemb weights gemma3_270m`; run it as python experiments/01_.../score.py.
"""

import jax
import numpy as np

from gemb import axes, config, initial
from gemb.axes import Layout
from gemb.data.tokenizer import load_tokenizer
from gemb.model.decoder import make_decoder
from gemb.model.embedder import make_embedder

TEXTS = (
  'The capital of France is',
  'def hello_world():\n    print("Hello, world!")',
  'def add(a, b):\n    return a + b',
)


def main() -> None:
  """Prints the mean over each text's tokens but the first, <bos>."""
  run, _ = config.load(
    ['configs/run/05_gemma3_270m.gin'], ["EncoderConfig.dtype='float32'"]
  )
  layout = Layout(axes.make_mesh(run.mesh), run.rules)
  params = initial.initial_params(run, make_embedder(run.model), layout)
  tokenizer = load_tokenizer(run.data.tokenizer)
  score = jax.jit(make_decoder(run.model.encoder).log_probabilities)
  for text, ids in zip(TEXTS, tokenizer.encode(TEXTS), strict=True):
    tokens = np.array([ids[:-1]], np.int32)  # without <eos>
    print(f'{-np.mean(score(params, tokens)):.3f}  {text!r}')


if __name__ == '__main__':
  main()
