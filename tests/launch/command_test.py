"""Commands, on Python itself as the program that is called."""

import dataclasses
import os
import signal
import sys
import threading

import pytest

from gemb import stopping
from gemb.launch.command import Command, run_all


def python(script, **options):
  return Command(
    what='ask for it', argv=(sys.executable, '-c', script), **options
  )


def test_commands_run_in_their_order_and_say_what_they_do(capfd):
  run_all([python('print(1)'), python('import sys; sys.stderr.write("2")')])
  out, err = capfd.readouterr()
  assert out == '# ask for it\n1\n# ask for it\n'
  assert err == '2'


def test_a_dry_run_prints_what_a_shell_would_run(capsys):
  wait = Command(
    what='wait',
    argv=('tool', "it's", 'A|B'),
    until='^ACTIVE$',
    every_seconds=5.0,
  )
  run_all([wait, Command(what='end', argv=('none such',))], dry_run=True)
  assert capsys.readouterr().out == (
    '# wait\n'
    '# ... again every 5 s until it prints ^ACTIVE$\n'
    "tool 'it'\"'\"'s' 'A|B'\n\n"
    '# end\n'
    "'none such'\n\n"
  )


def test_a_dry_run_tells_what_would_fail_and_what_may(capsys):
  look = Command(what='look', argv=('look', 'there'))
  run_all(
    [
      Command(what='forget it', argv=('forget',), may_fail=True),
      Command(what='ask', argv=('ask',), unless='FAILED', says='up', times=4),
      Command(what='stop', argv=('stop',), excuse=look),
    ],
    dry_run=True,
  )
  assert capsys.readouterr().out == (
    '# forget it\n# ... may fail\nforget\n\n'
    '# ask\n# ... fails if it prints FAILED\n'
    '# ... has to print 4 x up\nask\n\n'
    '# stop\n# ... may fail if this succeeds: look\n#     look there\nstop\n\n'
  )


def test_a_failure_is_told_with_the_last_line_and_ends_them_all(tmp_path):
  script = 'import sys; sys.exit("first\\nNo quota in us-west4-a")'
  never = python(f'open({str(tmp_path / "never")!r}, "w")')
  with pytest.raises(stopping.Failed) as error:
    run_all([python(script, advice='Try another zone.'), never])
  assert error.value.status == 2
  assert str(error.value) == (
    f'ask for it: `{sys.executable} -c '
    '\'import sys; sys.exit("first\\nNo quota in us-west4-a")\' ...` has '
    'failed (status 1): No quota in us-west4-a. Try another zone.'
  )
  assert not (tmp_path / 'never').exists()


def test_a_failure_may_be_passed_over(capfd):
  run_all([python('raise SystemExit(1)', may_fail=True), python('print(2)')])
  assert capfd.readouterr().out.endswith('2\n')


def test_a_failure_may_have_an_excuse(capfd):
  fails = python('raise SystemExit(1)')
  excused = python('raise SystemExit(1)', excuse=python(''))
  run_all([excused, python('print(2)')])
  assert capfd.readouterr().out.endswith('2\n')
  with pytest.raises(stopping.Failed):
    run_all([dataclasses.replace(excused, excuse=fails)])


@pytest.mark.parametrize(
  ('ends', 'status'),
  [(1, 75), (255, 75), (2, 2)],  # 2 is a mistake, on whichever machine
)
def test_what_may_be_done_again_has_a_status_of_its_own(ends, status):
  with pytest.raises(stopping.Failed) as error:
    run_all([python(f'raise SystemExit({ends})', again=True)])
  assert error.value.status == status


def test_a_program_that_is_not_installed_is_named():
  with pytest.raises(OSError, match='gcloudd is not installed here'):
    run_all([Command(what='ask', argv=('gcloudd', 'compute'))])


COUNT = """
import pathlib
path = pathlib.Path({path!r})
number = int(path.read_text()) + 1 if path.is_file() else 1
path.write_text(str(number))
print('ACTIVE' if number == 3 else {waiting!r})
"""


def test_a_command_is_given_again_until_it_says_so(tmp_path):
  path = str(tmp_path / 'calls')
  script = COUNT.format(path=path, waiting='WAITING')
  run_all([python(script, until='^ACTIVE$', every_seconds=0.0)])
  assert (tmp_path / 'calls').read_text() == '3'


@pytest.mark.parametrize(
  ('says', 'status', 'told'),
  [
    ('FAILED', 2, 'FAILED'),
    ('a: runs.\nb: FAILED.\nc: runs.', 2, 'b: FAILED'),
    ('ended with 137', 137, 'ended with 137'),
    ('GONE', 75, 'GONE'),
    ('', 75, 'there is no answer'),
  ],
)
def test_it_is_not_waited_for_in_vain(says, status, told, tmp_path):
  script = COUNT.format(path=str(tmp_path / 'calls'), waiting=says)
  wait = python(
    script,
    until='ACTIVE',
    unless=r'FAILED|with (\d+)',
    lost=r'GONE|\A\s*\Z',
    every_seconds=0.0,
  )
  with pytest.raises(stopping.Failed) as error:
    run_all([wait])
  assert str(error.value) == f'ask for it: {told}. Mend that, and launch again.'
  assert error.value.status == status
  assert (tmp_path / 'calls').read_text() == '1'


def test_a_call_that_waits_may_fail_a_few_times(tmp_path, capfd):
  path = str(tmp_path / 'calls')
  script = COUNT.format(path=path, waiting='') + (
    "if number < 3: raise SystemExit('no network')\n"
  )
  run_all([python(script, until='ACTIVE', every_seconds=0.0)])
  assert capfd.readouterr().err == 'no network\n' * 2
  never = python('raise SystemExit("no such")', until='A', every_seconds=0.0)
  with pytest.raises(stopping.Failed, match='no such'):
    run_all([never])


def test_each_machine_has_to_answer(capfd):
  script = 'print("a: is up.\\nb: is up.")'
  run_all([python(script, says=r'is up\.', times=2)])
  assert capfd.readouterr().out.endswith('a: is up.\nb: is up.\n')
  with pytest.raises(stopping.Failed, match='2 of 4 machines have') as error:
    run_all([python(script, says=r'is up\.', times=4)])
  assert error.value.status == 75


@pytest.mark.parametrize('status', [1, 75, 130, 137])
def test_what_is_waited_for_gives_its_status_and_sentence(status):
  wait = python(f'raise SystemExit({status})', ended=lambda: 'It has failed.')
  with pytest.raises(stopping.Failed) as error:
    run_all([wait])
  assert (str(error.value), error.value.status) == ('It has failed.', status)


def test_what_was_asked_to_stop_ends_so():
  with pytest.raises(stopping.Stopped, match='It has saved'):
    run_all([python('raise SystemExit(42)', ended=lambda: 'It has saved.')])


@pytest.mark.parametrize(
  ('number', 'kind'),
  [
    (signal.SIGTERM, stopping.Stopped),  # it is passed on
    (signal.SIGINT, KeyboardInterrupt),  # the terminal tells both
  ],
)
def test_a_program_ends_in_its_own_way(number, kind, tmp_path):
  os.mkfifo(tmp_path / 'begun')
  script = (
    'import signal, sys, time\n'
    'signal.signal(signal.SIGTERM, lambda *_: sys.exit(42))\n'
    f'open({str(tmp_path / "begun")!r}, "w").close()\n'
    f'time.sleep({60 if number == signal.SIGTERM else 0.3})\n'
  )

  def send():
    with open(tmp_path / 'begun'):
      pass
    os.kill(os.getpid(), number)

  thread = threading.Thread(target=send)
  thread.start()
  with pytest.raises(kind):
    run_all([python(script, ended=lambda: 'It has saved.')])
  thread.join()
