"""The mixture to try next, by Optuna's tree-structured Parzen estimator."""

import functools
from collections.abc import Sequence
from typing import Any

from gemb.data.sampling import BLOCK, generator
from gemb.mixing.mixture import Mixture, make_mixture


def suggest(
  tried: Sequence[tuple[Mixture, float]], *, seed: int, number: int
) -> Mixture:
  """Returns a mixture that promises a high score.

  The study is built anew from what was tried: nothing else is kept, and the
  same trials give the same answer.

  Args:
    tried: mixtures of the same tasks, at least one, and their scores.
    seed: of all answers.
    number: of this one.

  Raises:
    ValueError: if Optuna is not installed.
  """
  optuna = load_optuna()
  tasks = list(tried[0][0])
  # Of shares, on a logarithmic scale: a rare task is doubled as easily as a
  # frequent one. Their sum is made one afterwards.
  scale = optuna.distributions.FloatDistribution(1 / BLOCK, 1.0, log=True)
  space = dict.fromkeys(tasks, scale)
  key = int(generator(seed, 'tpe', number).integers(2**31))
  study = optuna.create_study(
    direction='maximize',
    # The mixtures before are its start: none is drawn blindly.
    sampler=optuna.samplers.TPESampler(
      seed=key, n_startup_trials=1, multivariate=True
    ),
  )
  for mixture, score in tried:
    study.add_trial(
      optuna.trial.create_trial(
        params={task: mixture[task] / BLOCK for task in tasks},
        distributions=space,
        value=score,
      )
    )
  return make_mixture(study.ask(space).params)


@functools.cache
def load_optuna() -> Any:
  """Returns the library, silent.

  Raises:
    ValueError: if it is not installed.
  """
  try:
    import optuna
  except ModuleNotFoundError as error:
    raise ValueError(
      f'Searching mixtures needs {error.name}, which is not installed: pip '
      'install "gemb[search]".'
    ) from error
  optuna.logging.set_verbosity(optuna.logging.WARNING)
  return optuna
