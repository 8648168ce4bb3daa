"""What curation does, in gin: one frozen tree, as Run is for training."""

import dataclasses
from typing import Any, Literal

from gemb.axes import AxisRules, MeshConfig
from gemb.curation import prompts
from gemb.curation.remote.config import RemoteModel
from gemb.model.config import EmbedderConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class MiningConfig:
  """Neighbours of each query among the passages of its task.

  Attributes:
    ranks: first and last rank, from 1, of the neighbours that are kept, counted
      over those that are not excluded: (1, 20) keeps the 20 nearest.
    margin: a neighbour whose cosine is above this share of the positive's is
      taken for another positive, and excluded (0.95: NV-Retriever,
      arXiv:2407.15831; Llama-Embed-Nemotron, arXiv:2511.07025); None: none is.
    negatives: how many are chosen as hard negatives of each example.
    choice: the 'nearest' of the window, or 'random' ones of it.
    seed: of those; with it the example's id decides.
    search: 'exact', by tiles over all devices; or by 'faiss', an approximate
      index in the memory of one machine.
    tile: passages whose similarities are in memory at once on a device.
    queries: that are looked up at once.
    mesh: of the devices that share the passages, and encode them; that of the
      model's training may have been another.
  """

  ranks: tuple[int, int] = (1, 20)
  margin: float | None = 0.95
  negatives: int = 1
  choice: Literal['nearest', 'random'] = 'nearest'
  seed: int = 0
  search: Literal['exact', 'faiss'] = 'exact'
  tile: int = 8192
  queries: int = 1024
  mesh: MeshConfig = dataclasses.field(default_factory=MeshConfig)

  def __post_init__(self):
    first, last = self.ranks
    if not 1 <= first <= last:
      raise ValueError(
        f'MiningConfig.ranks is {self.ranks}; give the first and the last rank '
        'that are kept, counted from 1, as in (1, 20).'
      )
    if not 1 <= self.negatives <= self.window:
      raise ValueError(
        f'MiningConfig.negatives is {self.negatives}; it must be at least 1, '
        f'and at most the {self.window} ranks of MiningConfig.ranks.'
      )
    if self.margin is not None and self.margin <= 0:
      raise ValueError(
        f'MiningConfig.margin is {self.margin}; give a share greater than 0 of '
        "the positive's cosine, such as 0.95, or None."
      )
    for name in ('tile', 'queries'):
      if getattr(self, name) < 1:
        raise ValueError(
          f'MiningConfig.{name} is {getattr(self, name)}; it must be at least '
          '1.'
        )

  @property
  def window(self) -> int:
    """How many neighbours are kept of each query, at most."""
    first, last = self.ranks
    return last - first + 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScoringConfig:
  """A language model's order of the neighbours.

  Source: Gemini Embedding (arXiv:2503.07891), section 4.4; Gecko
  (arXiv:2403.20327), section 3.2.

  Attributes:
    signals: whose ranks are fused: 'grade', of relevance; 'likelihood', of the
      query after the passage; 'similarity', as mined.
    rrf_constant: added to each rank before it is inverted (60: Cormack et al.,
      SIGIR 2009).
    k: the k-th neighbour of the fused order, from 1, is the first choice for a
      hard negative, and those before it are next; 0, and one beyond the last:
      the last, as in the report.
    negatives: how many are chosen.
    most: examples of a task that are scored, drawn by a hash; None: all. Those
      not drawn keep what was mined.
    seed: of that.
    grade_prompt: asks for a grade, a digit from 0.
    grades: how many there are.
    likelihood_prompt: stands before the query.
    characters: of a query or passage that the model reads, in filtering too;
      what follows is cut off.
  """

  signals: tuple[Literal['grade', 'likelihood', 'similarity'], ...] = (
    'grade',
    'likelihood',
  )
  rrf_constant: float = 60.0
  k: int = 0
  negatives: int = 1
  most: int | None = None
  seed: int = 0
  grade_prompt: str = 'grade_v1'
  grades: int = 4
  likelihood_prompt: str = 'likelihood_v1'
  characters: int = 2000

  def __post_init__(self):
    if not self.signals or len(set(self.signals)) < len(self.signals):
      raise ValueError(
        f'ScoringConfig.signals is {self.signals}; it must name at least one, '
        "and each once, such as ('grade', 'likelihood')."
      )
    _check_at_least(self, 0, 'rrf_constant', 'k')
    _check_at_least(self, 1, 'negatives', 'most', 'characters')
    if not 2 <= self.grades <= 10:
      raise ValueError(
        f'ScoringConfig.grades is {self.grades}; a grade is one digit from 0, '
        'so that there must be 2 to 10.'
      )
    _check_prompt(self, 'grade_prompt', {'query', 'passage'})
    _check_prompt(self, 'likelihood_prompt', {'passage'})


@dataclasses.dataclass(frozen=True, kw_only=True)
class FilteringConfig:
  """Which scored examples and neighbours are dropped.

  Source: Gemini Embedding (arXiv:2503.07891), section 4.3.

  Attributes:
    quality_prompt: a few-shot judgement of query and positive, yes or no.
    min_quality: examples with a lower probability of yes are dropped; 0: the
      model is not asked.
    false_positive_grade: examples whose positive's grade is below are dropped;
      None: none is.
    false_negative_grade: neighbours of at least this grade answer the query,
      and are no negatives; None: this makes none a false negative.
    above_positive: whether neighbours that score higher than the positive, by
      grade and by likelihood, as far as the model told both, are no negatives
      either. It needs no scale: a small model's grades are ranks at best.
    samples: kept and dropped examples in the report, of each reason.
  """

  quality_prompt: str = 'quality_v1'
  min_quality: float = 0.5
  false_positive_grade: float | None = 1.0
  false_negative_grade: float | None = 2.5
  above_positive: bool = True
  samples: int = 20

  def __post_init__(self):
    if not 0 <= self.min_quality <= 1:
      raise ValueError(
        f'FilteringConfig.min_quality is {self.min_quality}; it is a '
        'probability, from 0, which asks for none, to 1.'
      )
    _check_at_least(
      self, 0, 'false_positive_grade', 'false_negative_grade', 'samples'
    )
    _check_prompt(self, 'quality_prompt', {'query', 'passage'})


@dataclasses.dataclass(frozen=True, kw_only=True)
class DecoderModel:
  """A Gemma decoder on gemb's own devices, in causal mode.

  Attributes:
    model: its sizes; the projection is not used.
    weights: of `gemb weights`, or a path: as PretrainedConfig.path.
    tokenizer: its SentencePiece model.
    longest: tokens of a prompt; what is longer loses its middle.
    rows: prompts of that length, over the whole mesh, for which there is
      memory; there may be more of shorter ones in a call, and on CPUs fewer.
    mesh: of the devices; by default each holds the whole model.
    rules: how the model is laid out over it.
  """

  model: EmbedderConfig
  weights: str = 'weights/gemma3_270m/model.gguf'
  tokenizer: str = 'weights/gemma3_270m/tokenizer.model'
  longest: int = 512
  rows: int = 32
  mesh: MeshConfig = dataclasses.field(default_factory=MeshConfig)
  rules: AxisRules = dataclasses.field(default_factory=AxisRules)

  def __post_init__(self):
    _check_at_least(self, 8, 'longest')
    _check_at_least(self, 1, 'rows')


@dataclasses.dataclass(frozen=True, kw_only=True)
class SynthesisConfig:
  """What is written by a language model.

  Source: Gemini Embedding (arXiv:2503.07891), section 4.2; Gecko
  (arXiv:2403.20327), section 3.1.

  Attributes:
    queries: tasks whose passages get queries.
    classes: kinds of classification data: 'counterfactual', 'sentiment',
      'review'.
    most: texts of each that are written; fewer are kept.
    items: of a generated list, of persons or of things.
    tail: share of a list, from its end, that is sampled.
    seed: of all choices and answers.
    temperature: of the answers.
    min_rating: queries that the auto-rater gives a lower probability of being
      good are dropped; 0: it is not asked.
    min_label: texts whose own label the auto-rater gives a lower probability
      are dropped; 0: it is not asked.
  """

  queries: tuple[str, ...] = ()
  classes: tuple[Literal['counterfactual', 'sentiment', 'review'], ...] = ()
  most: int = 1000
  items: int = 60
  tail: float = 0.5
  seed: int = 0
  temperature: float = 1.0
  min_rating: float = 0.5
  min_label: float = 0.5

  def __post_init__(self):
    for name in ('most', 'items'):
      if getattr(self, name) < 1:
        raise ValueError(
          f'SynthesisConfig.{name} is {getattr(self, name)}; it must be at '
          'least 1.'
        )
    for name in ('tail', 'min_rating', 'min_label'):
      if not 0 <= getattr(self, name) <= 1:
        raise ValueError(
          f'SynthesisConfig.{name} is {getattr(self, name)}; it must be from 0 '
          'to 1.'
        )
    if self.tail == 0:
      raise ValueError(
        'SynthesisConfig.tail is 0, which leaves nothing of a list to sample; '
        '1 is the whole.'
      )
    if self.temperature < 0:
      raise ValueError(
        f'SynthesisConfig.temperature is {self.temperature}; it must be at '
        'least 0.'
      )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Curation:
  """Everything that the stages of curation depend on, but the miner's model.

  Attributes:
    tasks: seqio Tasks whose texts have been made (`gemb cache`).
    prompts: {task: a task string of gemb.prompts, or two templates}, of tasks
      for which the miner's run has none, or another.
    mining: of neighbours.
    scoring: of neighbours by the language model.
    filtering: of examples and neighbours.
    synthesis: of new examples.
    language_model: that scores, filters and writes; None: for mining alone.
  """

  tasks: tuple[str, ...]
  prompts: dict[str, str | tuple[str, str]] = dataclasses.field(
    default_factory=dict
  )
  mining: MiningConfig = dataclasses.field(default_factory=MiningConfig)
  scoring: ScoringConfig = dataclasses.field(default_factory=ScoringConfig)
  filtering: FilteringConfig = dataclasses.field(
    default_factory=FilteringConfig
  )
  synthesis: SynthesisConfig = dataclasses.field(
    default_factory=SynthesisConfig
  )
  language_model: DecoderModel | RemoteModel | None = None


def _check_at_least(config: Any, least: int, *names: str) -> None:
  """Refuses numbers that are too small; None stands for no bound."""
  for name in names:
    value = getattr(config, name)
    if value is not None and not value >= least:
      raise ValueError(
        f'{type(config).__name__}.{name} is {value}; it must be at least '
        f'{least}.'
      )


def _check_prompt(config: Any, name: str, fields: set[str]) -> None:
  prompt = prompts.load(getattr(config, name))
  if prompt.fields != fields:
    raise ValueError(
      f'{type(config).__name__}.{name} is {prompt.name!r}, which has the '
      f'values {sorted(prompt.fields)}; it needs {sorted(fields)}.'
    )
