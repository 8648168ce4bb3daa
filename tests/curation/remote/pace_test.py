import asyncio

from gemb.curation.remote.pace import Pace


class Clock:
  def __init__(self):
    self.now = 100.0

  def __call__(self):
    return self.now

  async def sleep(self, seconds):
    self.now += seconds


def begin(clock, pace, count):
  """Returns the seconds at which requests begin."""

  async def begin_all():
    times = []
    for _ in range(count):
      await pace.wait_turn()
      times.append(clock.now - 100)
    return times

  return asyncio.run(begin_all())


def test_requests_begin_evenly():
  clock = Clock()
  pace = Pace(30, clock=clock, sleep=clock.sleep)
  assert begin(clock, pace, 4) == [0, 2, 4, 6]


def test_time_that_was_not_used_is_not_made_up_for():
  clock = Clock()
  pace = Pace(30, clock=clock, sleep=clock.sleep)
  begin(clock, pace, 1)
  clock.now += 60
  assert begin(clock, pace, 3) == [60, 62, 64]


def test_none_begins_while_the_service_is_to_be_left_alone():
  clock = Clock()
  pace = Pace(30, clock=clock, sleep=clock.sleep)
  begin(clock, pace, 1)
  pace.hold(10.0)
  assert begin(clock, pace, 2) == [10, 12]


def test_the_requests_of_several_tasks_keep_one_pace():
  slept = []

  async def sleep(seconds):
    slept.append(seconds)

  pace = Pace(60, clock=lambda: 0.0, sleep=sleep)

  async def begin_together():
    await asyncio.gather(*(pace.wait_turn() for _ in range(3)))

  asyncio.run(begin_together())
  assert slept == [1, 2]
