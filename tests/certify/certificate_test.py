import json
import math

import pytest

from gemb.certify.certificate import Certificate, NotCertifiedError, Row


def make_row(**changes):
  values = {
    'mesh': {'data': 4, 'fsdp': 2, 'tensor': 1},
    'loss': 2.5,
    'loss_difference': 1e-7,
    'parameter': 'encoder/table',
    'difference': 2e-6,
  }
  return Row(**values | changes)


def make_certificate(*rows, **changes):
  values = {
    'reference': 2.5,
    'tolerance': 1e-5,
    'batch': 'Two examples.',
    'changes': (('EncoderConfig.width', 192, 16),),
    'left_out': ("The mesh axis 'tensor' was left out.",),
    'fault': None,
    'about': {'commit': 'abc'},
  }
  return Certificate(rows=rows, **values | changes)


def test_a_row_is_named_by_the_axes_that_split_anything():
  assert make_row().name == 'data=4 x fsdp=2'
  assert make_row().devices == 8
  one = make_row(mesh={'data': 1, 'fsdp': 1, 'tensor': 1})
  assert one.name == 'one device'


@pytest.mark.parametrize('bad', [2e-5, math.inf, math.nan])
@pytest.mark.parametrize('what', ['difference', 'loss_difference'])
def test_what_differs_too_much_or_is_no_number_does_not_agree(what, bad):
  assert make_row().agrees(1e-5)
  assert not make_row(**{what: bad}).agrees(1e-5)


def test_it_reads_as_a_table():
  text = make_certificate(make_row()).to_markdown()
  assert text.startswith('# Certified\n\nTwo examples.\n')
  (line,) = [line for line in text.splitlines() if 'data=4' in line]
  cells = [cell.strip() for cell in line.strip('|').split('|')]
  assert cells == [
    *('data=4 x fsdp=2', 'encoder/table', 'yes', '8'),
    *('2.500000', '1.0e-07', '2.0e-06'),
  ]
  assert "'tensor' was left out" in text
  assert '| EncoderConfig.width | 192        | 16   |' in text
  text = make_certificate(make_row(), changes=()).to_markdown()
  assert text.endswith('Changed for this comparison:\n\nNothing.\n')


def test_one_mesh_that_differs_is_enough_to_refuse():
  certificate = make_certificate(
    make_row(), make_row(difference=0.5), fault='one_sided_mask'
  )
  with pytest.raises(NotCertifiedError) as refused:
    certificate.check()
  said = str(refused.value)
  assert said.startswith('1 of 2 meshes do not agree with the reference')
  assert 'the gradient of encoder/table by 5.0e-01' in said
  assert "since 'one_sided_mask' was planted" in said
  assert certificate.to_markdown().startswith('# Not certified')
  make_certificate(make_row()).check()


def test_copies_are_written(tmp_path):
  certificate = make_certificate(make_row())
  certificate.write(tmp_path, 'Run.seed = 0')
  written = (tmp_path / 'certificate.md').read_text()
  assert written == certificate.to_markdown()
  content = json.loads((tmp_path / 'certificate.json').read_text())
  assert (content['agrees'], content['config']) == (True, 'Run.seed = 0')
  assert content['rows'][0]['difference'] == 2e-6
