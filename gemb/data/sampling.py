"""Which examples are in the batch of a step: arithmetic, and no state.

Everything here is a pure function of (seed, position), in constant time and
memory: nothing is buffered, saved or replayed, so that a run resumes at any
step at once, and every host computes the same.
"""

import hashlib

import numpy as np
from jaxtyping import Float64, Int64

BLOCK = 1000  # steps over which the rates are exact


class Schedule:
  """Which task the batch of a step comes from.

  Of every `BLOCK` steps each task gets its share by largest remainder; their
  order within the block is drawn from the seed.
  """

  def __init__(self, rates: dict[str, float], seed: int):
    """Prepares the shares.

    Raises:
      ValueError: if a task's rate is too small for one batch in a block.
    """
    self._tasks = list(rates)
    self._seed = seed
    share = np.array([rates[task] for task in self._tasks], np.float64)
    share *= BLOCK / share.sum()
    self._quota = np.floor(share).astype(np.int64)
    missing = BLOCK - self._quota.sum()
    self._quota[np.argsort(self._quota - share, kind='stable')[:missing]] += 1
    for task, quota in zip(self._tasks, self._quota, strict=True):
      if quota == 0:
        raise ValueError(
          f'Rate {rates[task]} of task {task!r} gives it less than one batch '
          f'in {BLOCK}; raise it, or leave the task out.'
        )

  def __call__(self, step: int) -> tuple[str, int]:
    """Returns the step's task, and how many batches of it came before."""
    (task,), (ordinal,) = self.many(np.array([step]))
    return self._tasks[task], int(ordinal)

  def many(
    self, steps: Int64[np.ndarray, 'X']
  ) -> tuple[Int64[np.ndarray, 'X'], Int64[np.ndarray, 'X']]:
    """Returns the same for many steps, tasks by their number."""
    tasks, ordinals = np.empty_like(steps), np.empty_like(steps)
    blocks, offsets = np.divmod(steps, BLOCK)
    for block in np.unique(blocks):
      here = blocks == block
      order, earlier = self._block(int(block))
      tasks[here] = order[offsets[here]]
      ordinals[here] = earlier[offsets[here]]
    return tasks, ordinals

  def _block(
    self, block: int
  ) -> tuple[Int64[np.ndarray, 'X'], Int64[np.ndarray, 'X']]:
    """Returns the tasks of a block's steps, and the ordinal of each."""
    order = generator(self._seed, 'schedule', block).permutation(
      np.repeat(np.arange(len(self._tasks)), self._quota)
    )
    earlier = np.empty_like(order)
    for task, quota in enumerate(self._quota):
      earlier[order == task] = block * quota + np.arange(quota)
    return order, earlier


class Permutation:
  """Shuffles [0, n) for each epoch, one element at a time.

  A Feistel network on the next power of four is a bijection; walking its
  cycles until they come back below n makes it one of [0, n) (Black and
  Rogaway, "Ciphers with arbitrary finite domains", 2002, method 2).
  """

  _ROUNDS = 6

  def __init__(self, n: int, *, seed: int, name: str):
    """Shuffles n elements; `name` tells tasks of the same size apart."""
    self._n = n
    self._seed = seed
    self._name = name
    self._half = max(1, ((n - 1).bit_length() + 1) // 2)

  def __call__(
    self, positions: Int64[np.ndarray, 'X']
  ) -> Int64[np.ndarray, 'X']:
    """Returns the elements at these positions of the endless sequence.

    Positions [e * n, (e + 1) * n) are epoch e: each element once.
    """
    elements = np.empty_like(positions)
    epochs = positions // self._n
    for epoch in np.unique(epochs):
      here = epochs == epoch
      elements[here] = self._shuffle(positions[here] % self._n, int(epoch))
    return elements

  def _shuffle(self, x: np.ndarray, epoch: int) -> np.ndarray:
    keys = generator(self._seed, self._name, epoch).integers(
      0, 2**63, self._ROUNDS, dtype=np.uint64
    )
    x = self._encrypt(x.astype(np.uint64), keys)
    while (outside := x >= self._n).any():
      x[outside] = self._encrypt(x[outside], keys)
    return x.astype(np.int64)

  def _encrypt(self, x: np.ndarray, keys: np.ndarray) -> np.ndarray:
    half = np.uint64(self._half)
    mask = np.uint64((1 << self._half) - 1)
    high, low = x >> half, x & mask
    for key in keys:
      high, low = low, high ^ (_mix(low ^ key) & mask)
    return (high << half) | low


def _mix(x: np.ndarray) -> np.ndarray:
  """Scatters 64 bits (the finaliser of SplitMix64); overflow is meant."""
  x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
  x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
  return x ^ (x >> np.uint64(31))


def uniform(
  seed: int, name: str, positions: Int64[np.ndarray, 'X']
) -> Float64[np.ndarray, 'X']:
  """Returns a number in [0, 1) for each position, the same whenever asked."""
  (key,) = generator(seed, name, 0).integers(0, 2**63, 1, dtype=np.uint64)
  mixed = _mix(_mix(positions.astype(np.uint64) ^ key) + key)
  return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53


def spread(n: int) -> Int64[np.ndarray, 'n']:
  """Returns 0..n-1 in an order of which every stretch is spread over all.

  The van der Corput sequence: numbers in the order of their mirrored bits.

  >>> spread(8).tolist()
  [0, 4, 2, 6, 1, 5, 3, 7]
  """
  bits = np.arange(n)
  mirrored = np.zeros(n, np.int64)
  for _ in range((n - 1).bit_length()):
    mirrored = mirrored << 1 | bits & 1
    bits = bits >> 1
  return np.argsort(mirrored, kind='stable')


def generator(seed: int, name: str, number: int) -> np.random.Generator:
  """Returns random numbers that depend on all three and on nothing else."""
  text = f'{seed}/{name}/{number}'.encode()
  key = hashlib.blake2b(text, digest_size=16).digest()
  return np.random.Generator(np.random.Philox(key=int.from_bytes(key, 'big')))
