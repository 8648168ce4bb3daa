"""Asking a process to stop, and its exit status."""

import errno
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


@pytest.mark.parametrize(
  ('error', 'status'),
  [
    (ValueError('That is wrong.'), 2),
    (OSError(errno.ENOSPC, 'No space left on device'), 2),
    (OSError(errno.EIO, 'Input/output error'), 75),
    (OSError(errno.ESTALE, 'Stale file handle'), 75),
    (OSError(errno.ENOTCONN, 'Transport endpoint is not connected'), 75),
    (TimeoutError('The others have not come.'), 75),
    (FloatingPointError('The loss is nan.'), 1),
    (KeyError('nobody foresaw it'), 1),
    (stopping.Stopped('asked to stop'), 42),
    (KeyboardInterrupt(), 130),
    (stopping.Failed('It was killed.', 137), 137),
  ],
)
def test_the_exit_status_tells_whether_the_same_command_goes_on(error, status):
  assert stopping.status(error) == status
