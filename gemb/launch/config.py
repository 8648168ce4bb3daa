"""Job: a run, where it is to run, and what it needs there."""

import dataclasses
import re

from gemb import axes
from gemb.launch.place import Place
from gemb.run import Run

# What places take alike: XPK's workloads have the shortest names.
_NAME = re.compile(r'[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?')
_VARIABLE = re.compile(r'[A-Za-z_][A-Za-z0-9_]*')
_SECRET = re.compile(r'(?i)(_|^)(key|token|secret|credentials?)$|passw(or)?d')


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
  """One description of what is launched; the run itself knows nothing of it.

  Attributes:
    run: what is trained. Its gin program alone travels.
    place: where; a file of configs/launch gives one.
    name: lower-case letters, digits and hyphens; '': that of the job's folder.
    workdir: of the run on the machines; '': the place's own, where it has one.
      --workdir gives it too.
    commit: of the code that travels, in any way that git names one. This
      machine's own jobs run the code that is here.
    restarts: how often the run is started again, at most, when it dies.
    environment: variables of the run, such as GEMB_DATA. They are written
      down, so no secret may be among them.
    secrets: {variable: name of its value in Google's Secret Manager}. The
      machine reads the value itself; none passes through gemb.
  """

  run: Run
  place: Place
  name: str = ''
  workdir: str = ''
  commit: str = 'HEAD'
  restarts: int = 100
  environment: dict[str, str] = dataclasses.field(default_factory=dict)
  secrets: dict[str, str] = dataclasses.field(default_factory=dict)

  def __post_init__(self):
    if self.name:
      check_name(self.name)
    if self.restarts < 0:
      raise ValueError(
        f'Job.restarts is {self.restarts}; it must not be negative.'
      )
    for field in ('environment', 'secrets'):
      for variable in getattr(self, field):
        if not _VARIABLE.fullmatch(variable):
          raise ValueError(
            f'Job.{field} has {variable!r}, which is no name of a variable.'
          )
    # The value is not in the sentence: it may be one.
    for variable in filter(_SECRET.search, self.environment):
      raise ValueError(
        f'Job.environment has {variable}, which looks like a secret and would '
        "be written down; put its value into Google's Secret Manager and give "
        f"Job.secrets = {{'{variable}': 'ITS-NAME-THERE'}}, or, where the run "
        'has the environment of this shell, export it before the launch.'
      )
    for variable in self.secrets.keys() & self.environment.keys():
      raise ValueError(
        f'{variable} is in Job.environment and in Job.secrets; keep one.'
      )
    if self.place.all_devices:
      axes.mesh_sizes(self.run.mesh, self.place.all_devices)


def check_name(name: str, told: str = 'Job.name is') -> None:
  """Raises ValueError unless every place takes `name` for a job.

  Args:
    name: of the job, or of a part of it.
    told: how the sentence begins.
  """
  if not _NAME.fullmatch(name):
    raise ValueError(
      f'{told} {name!r}; wanted are at most 40 lower-case letters, digits '
      'and hyphens, a letter first and no hyphen last.'
    )
