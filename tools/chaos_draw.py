"""What is done to each training of tools/chaos: drawn, from a seed."""

import dataclasses
import itertools
import random
import signal

LAYOUTS = {'1x1': (1, 1), '2x2': (2, 2)}  # processes, devices of each
SIGNALS = ('KILL', 'TERM')
PHASES = ('training', 'saving', 'evaluation')
CACHE = 'making the cache'
CACHE_EVERY = 10  # runs, of which one is hit there: it takes long to get there
ONE, ALL, SUPERVISOR = 'one process', 'all processes', 'the supervisor'
# Seconds from the beginning of a phase to the signal.
LONGEST_DELAY = {
  'training': 0.3,
  'saving': 0.03,
  'evaluation': 0.05,
  CACHE: 0.6,
}
# Of experiments/16_survival/run.gin.
STEPS, LOG_EVERY, SAVE_EVERY, EVALUATE_EVERY = 36, 3, 8, 12


@dataclasses.dataclass(frozen=True, kw_only=True)
class Draw:
  """One run, and what is to happen to it.

  Attributes:
    number: of the run, from 1.
    layout: a name of LAYOUTS.
    signal: a name of SIGNALS.
    target: ONE, ALL or SUPERVISOR.
    process: the one that is hit, where it is one.
    phase: one of PHASES, or CACHE.
    step: after which the phase is waited for.
    delay: seconds from the beginning of the phase to the signal.
  """

  number: int
  layout: str
  signal: str
  target: str
  process: int
  phase: str
  step: int
  delay: float

  @property
  def signal_number(self) -> signal.Signals:
    """The signal as the kernel knows it."""
    return signal.Signals[f'SIG{self.signal}']

  @property
  def whom(self) -> str:
    """Who gets the signal, in words."""
    if self.target != ONE:
      return self.target
    return '`gemb cache`' if self.phase == CACHE else f'process {self.process}'

  def __str__(self) -> str:
    when = self.phase
    if self.phase != CACHE:
      when += f' after step {self.step}'
    return f'{self.layout}: {self.signal} to {self.whom}, {when}'


def draw(seed: int, number: int) -> Draw:
  """Returns what happens to a run, whichever others there are.

  Layouts, signals and phases are dealt from a shuffled pack that has each
  combination once; the rest is drawn for each run.

  Args:
    seed: of the pack.
    number: of the run, from 1.
  """
  pack = list(itertools.product(LAYOUTS, SIGNALS, PHASES))
  dealt, place = divmod(number - 1, len(pack))
  random.Random(f'{seed}, pack {dealt}').shuffle(pack)
  layout, name, phase = pack[place]
  drawn = random.Random(f'{seed}, run {number}')
  if number % CACHE_EVERY == 0:
    phase = CACHE
  return Draw(
    number=number,
    layout=layout,
    signal=name,
    target=drawn.choice((ONE, ALL, SUPERVISOR)),
    process=drawn.randrange(LAYOUTS[layout][0]),
    phase=phase,
    step=_step(drawn, phase),
    delay=drawn.uniform(0, LONGEST_DELAY[phase]),
  )


def _step(drawn: random.Random, phase: str) -> int:
  """Draws a step, from the first to the last one at which a phase begins."""
  every = {'saving': SAVE_EVERY, 'evaluation': EVALUATE_EVERY, CACHE: STEPS + 1}
  steps = range(0, STEPS, every.get(phase, LOG_EVERY))
  return drawn.choice(steps[1:] or [0])
