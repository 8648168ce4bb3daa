import json

from gemb.sweep.record import Record, read_record, write_record


def test_points_come_back_as_they_were(tmp_path):
  assert read_record(tmp_path) == Record()
  record = Record(
    given='grid: {}',
    metric='x@4',
    points={
      'points/b': {'A.x': (1, 2), 'A.y': 1.0},
      'points/a': {'A.x': None, 'A.y': 'word'},
    },
  )
  write_record(tmp_path, record)
  assert read_record(tmp_path) == record
  assert list(read_record(tmp_path).points) == ['points/b', 'points/a']
  content = json.loads((tmp_path / 'sweep.json').read_text())
  assert content['points']['points/b'] == {'A.x': '(1, 2)', 'A.y': '1.0'}
