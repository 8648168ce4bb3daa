"""Which services follow a run, beside the files in its work folder."""

import dataclasses
import re


@dataclasses.dataclass(frozen=True, kw_only=True)
class WandbConfig:
  """A run of Weights & Biases; the extra `wandb` has what it needs.

  Who one is stays outside: `wandb login`, or WANDB_API_KEY. WANDB_MODE=offline
  writes below the work folder what `wandb sync` sends later.

  Attributes:
    project: where the run is listed.
    entity: the user or team that has the project; None: one's default.
    name: of the run; None: that of the work folder.
    group: of runs that belong together, as those of a sweep do.
    tags: to find it by.
  """

  project: str = 'gemb'
  entity: str | None = None
  name: str | None = None
  group: str | None = None
  tags: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class MlflowConfig:
  """A run of MLflow; the extra `mlflow` has what it needs.

  Who one is stays outside: MLFLOW_TRACKING_USERNAME and _PASSWORD, or _TOKEN.

  Attributes:
    uri: of the tracking server, or `file:` and a folder; None: that in
      MLFLOW_TRACKING_URI.
    experiment: where the run is listed; it is made if it is not there.
    name: of the run; None: that of the work folder.
  """

  uri: str | None = None
  experiment: str = 'gemb'
  name: str | None = None

  def __post_init__(self):
    if self.uri and re.search('//[^/]*@', self.uri):
      raise ValueError(
        'MlflowConfig.uri holds a user or a password, which would be written '
        'to the work folder; put them into MLFLOW_TRACKING_USERNAME and '
        'MLFLOW_TRACKING_PASSWORD.'
      )


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrackingConfig:
  """The services that follow a run; by default there are none.

  Attributes:
    wandb: the run of Weights & Biases.
    mlflow: the run of MLflow.
  """

  wandb: WandbConfig | None = None
  mlflow: MlflowConfig | None = None
