"""The mixture to try next, by Optuna's tree-structured Parzen estimator."""

from collections.abc import Sequence

from gemb.data.sampling import BLOCK, generator
from gemb.mixing.mixture import Mixture, make_mixture
from gemb.sweep.search import load_optuna


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
