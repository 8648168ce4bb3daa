"""Asking a process to stop."""

import os
import signal
import threading

import pytest

from gemb import stopping


def test_sigterm_is_noticed_at_the_next_question():
  with stopping.watched(alone=True):
    stopping.check()
    os.kill(os.getpid(), signal.SIGTERM)
    assert stopping.asked()
    with pytest.raises(stopping.Stopped):
      stopping.check()


def test_what_was_asked_of_an_earlier_run_is_forgotten():
  with stopping.watched(alone=True):
    signal.raise_signal(signal.SIGTERM)
  with stopping.watched(alone=True):
    assert not stopping.asked()


def test_outside_sigterm_does_what_it_did():
  before = signal.getsignal(signal.SIGTERM)
  with stopping.watched(alone=True):
    assert signal.getsignal(signal.SIGTERM) is not before
  assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize('alone', [False, True])
def test_elsewhere_signals_are_left_to_others(alone):
  before = signal.getsignal(signal.SIGTERM)
  seen = []

  def watch():
    with stopping.watched(alone=alone):
      seen.append(signal.getsignal(signal.SIGTERM))

  thread = threading.Thread(target=watch)
  thread.start()
  thread.join()
  assert seen == [before]
