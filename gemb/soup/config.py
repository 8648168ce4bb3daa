"""What a soup is made of, in gin: a frozen root of its own, as Run is."""

import dataclasses
import math
from typing import Literal

from gemb.axes import AxisRules, MeshConfig

Method = Literal['uniform', 'weighted', 'greedy', 'slerp']


@dataclasses.dataclass(frozen=True, kw_only=True)
class Soup:
  """Which checkpoints are averaged, and how.

  Source: Gemini Embedding (arXiv:2503.07891), section 3.3: within one run
  (Izmailov et al., arXiv:1803.05407), across runs (Wortsman et al.,
  arXiv:2203.05482), and weighted.

  Attributes:
    ingredients: 'WORKDIR', the last checkpoint of a run; 'WORKDIR@STEP'; or
      'WORKDIR@all', every checkpoint that the run has kept. The first gives the
      soup its config: prompts, prefixes, and the held-out tasks.
    method: 'uniform'; 'weighted'; 'greedy': from the best ingredient on, each
      that does not lower the held-out score (Wortsman et al., recipe 1); or
      'slerp': along great circles, as Qwen3-Embedding is merged
      (arXiv:2506.05176).
    weights: of the ingredients in their order; they are divided by their sum.
      For 'weighted', and for 'slerp', whose weights are equal without them.
    metrics: whose mean is the score of 'greedy', such as 'bitext/accuracy@256';
      without any, those of all held-out tasks at the longest prefix. What they
      are measured on has chosen the soup: it is better there than elsewhere.
    fewer_candidates: evaluate as training does, against fewer passages, and so
      faster; else as `gemb evaluate`.
    line: points at which the loss is measured on the straight line between the
      first and the last ingredient; 0: it is not.
    line_batches: of each end's training data, that the loss is the mean of.
    mesh: devices along each mesh axis, which may be others than in training.
    rules: the mesh axes that split each logical axis.
  """

  ingredients: tuple[str, ...]
  method: Method = 'uniform'
  weights: tuple[float, ...] = ()
  metrics: tuple[str, ...] = ()
  fewer_candidates: bool = False
  line: int = 0
  line_batches: int = 4
  mesh: MeshConfig
  rules: AxisRules

  def __post_init__(self):
    if not self.ingredients:
      raise ValueError(
        'Soup.ingredients is empty; name the work folders of at least two runs.'
      )
    self._check_weights()
    if self.metrics and self.method != 'greedy':
      raise ValueError(
        f'Soup.metrics is {self.metrics}, by which a greedy soup is chosen, '
        f'but Soup.method is {self.method!r}; remove one of them.'
      )
    if self.line < 0 or self.line == 1 or self.line_batches < 1:
      raise ValueError(
        f'Soup.line is {self.line} and Soup.line_batches {self.line_batches}; '
        'a line has at least 2 points (0: there is none), each of at least 1 '
        'batch.'
      )

  def _check_weights(self) -> None:
    if bool(self.weights) and self.method not in ('weighted', 'slerp'):
      raise ValueError(
        f'Soup.weights is {self.weights}, but Soup.method is {self.method!r}; '
        "remove the weights, or set the method to 'weighted'."
      )
    if self.method == 'weighted' and not self.weights:
      raise ValueError(
        "Soup.method is 'weighted', and Soup.weights is empty; give a weight "
        'for each ingredient.'
      )
    if any(not 0 <= w < math.inf for w in self.weights) or (
      self.weights and not sum(self.weights)
    ):
      raise ValueError(
        f'Soup.weights is {self.weights}; weights must be finite, not '
        'negative, and not sum to 0.'
      )
