"""The command line: help, evaluate, encode, and all that it refuses."""

import errno
import json
import pathlib
import shutil
import subprocess
import sys

import jax
import numpy as np
import pytest

from gemb import config, main, prompts, stopping, trained
from gemb.data import examples
from gemb.data.caching import jobs
from gemb.evals.retrieval import truncate
from gemb.workdir import find_workdir

TEXTS = ['Der Tisch ist neu.', 'sort a list', 'Der Tisch ist neu.', '']

COMMANDS = (
  'train',
  'cache',
  'decontaminate',
  'mine',
  'score',
  'filter',
  'synthesize',
  'launch',
  'sweep',
  'teach',
  'rates',
  'search',
  'soup',
  'weights',
  'init',
  'certify',
  'plan',
  'check',
  'evaluate',
  'encode',
  'export',
)

# Says on its last line which of the slow imports a command brought.
HELP = """
import sys
from gemb import main
try:
  main.main(sys.argv[1:])
except SystemExit as stop:
  slow = {'jax', 'flax', 'numpy', 'tensorflow', 'seqio', 'torch', 'mteb'}
  slow &= set(sys.modules)
  print(stop.code, *slow)
"""


@pytest.fixture
def run_folder(tiny_run, tmp_path):
  """Copies the finished run, so that it can be spoilt."""
  return shutil.copytree(tiny_run, tmp_path / 'run')


@pytest.fixture
def data_copy(tiny_run, tiny_folder, tmp_path, monkeypatch):
  """Copies the data folder, so that it can be spoilt."""
  monkeypatch.setenv('GEMB_DATA', str(tmp_path / 'data'))
  return shutil.copytree(tiny_folder / 'data', tmp_path / 'data')


def content(folder):
  return {
    path.relative_to(folder): path.read_bytes() if path.is_file() else None
    for path in folder.rglob('*')
  }


@pytest.fixture
def refused(tmp_path, capsys):
  """Runs a command that must fail; returns its one line of complaint."""

  def run(*arguments, status=2):
    before = content(tmp_path)
    capsys.readouterr()
    assert main.main([str(argument) for argument in arguments]) == status
    error = capsys.readouterr().err
    assert error.startswith('gemb: ')
    assert error.index('\n') == len(error) - 1, error
    assert content(tmp_path) == before
    return error

  return run


@pytest.fixture
def train_refused(refused, tiny_run, tiny_gin):
  """The same for `gemb train` of tiny.gin with bindings."""

  def run(workdir, *bindings):
    given = [f'--gin.{binding}' for binding in bindings]
    return refused(
      'train', f'--gin_file={tiny_gin}', f'--workdir={workdir}', *given
    )

  return run


@pytest.mark.parametrize('command', [[], *([name] for name in COMMANDS)])
def test_help_comes_at_once_and_shows_an_example(command):
  done = subprocess.run(
    [sys.executable, '-c', HELP, *command, '--help'],
    capture_output=True,
    text=True,
    check=True,
  )
  *text, imported = done.stdout.splitlines()
  assert imported == '0'  # the exit status; and no slow import
  text = ' '.join(' '.join(text).split())
  if command:
    assert f'example: gemb {command[0]} ' in text
    # All but one read a config, and say how its values are overridden.
    assert ('--gin.NAME=VALUE' in text) == (command != ['weights'])
  else:
    assert all(name in text for name in COMMANDS)
    assert 'example: gemb train --gin_file=' in text


@pytest.mark.parametrize(
  ('command', 'complaint'),
  [
    ([], 'required: COMMAND'),
    (['trian'], "'trian'"),
    (['train'], 'required: --gin_file'),
    (['train', '--gin.Run.steps', '20'], 'write --gin.Run.steps=20'),
    (['train', '--gin.Run.steps', '--wait'], 'write --gin.Run.steps=VALUE'),
    (['train', '--gin.Run.steps'], 'write --gin.Run.steps=VALUE'),
    (['weights', 'x', '--gin.Run.steps=2'], 'leave out --gin.Run.steps=2'),
  ],
)
def test_a_command_line_that_is_none_is_refused(command, complaint, capsys):
  with pytest.raises(SystemExit) as stopped:
    main.main(command)
  assert stopped.value.code == 2
  assert complaint in capsys.readouterr().err


def test_a_value_of_no_run_is_refused(refused):
  assert 'name its --gin_file' in refused('data', 'list', '--gin.Run.steps=2')


def test_the_exit_status_is_that_of_the_process():
  done = subprocess.run(
    [sys.executable, '-m', 'gemb.main', 'cache', '--gin_file=nowhere.gin'],
    capture_output=True,
    text=True,
  )
  assert done.returncode == 2
  assert done.stderr.startswith('gemb: ') and done.stderr.count('\n') == 1


@pytest.mark.parametrize(
  ('raised', 'status'),
  [
    (ValueError('That is wrong.'), 2),
    (RuntimeError('The processes cannot meet.'), 2),
    (TimeoutError('The others have not come.'), 75),
    (FloatingPointError('Loss is nan.'), 1),
    (stopping.Stopped('asked to stop'), 42),
    (jax.errors.JaxRuntimeError('Connection closed by peer'), 75),
  ],
)
def test_the_exit_status_tells_whether_to_go_on(
  raised, status, monkeypatch, capsys
):
  def show_data(options):
    raise raised

  monkeypatch.setattr('gemb.commands.data.show_data', show_data)
  assert main.main(['data', 'show', 'pairs', '--gin_file=any.gin']) == status
  assert capsys.readouterr().err == f'gemb: {raised}\n'


def test_a_full_disk_is_told_in_one_sentence(monkeypatch, capsys):
  def show_data(options):
    raise OSError(errno.ENOSPC, 'No space left on device', '/data/texts')

  monkeypatch.setattr('gemb.commands.data.show_data', show_data)
  assert main.main(['data', 'show', 'pairs', '--gin_file=any.gin']) == 2
  assert capsys.readouterr().err == (
    'gemb: the disk is full (/data/texts); free some space, and the same '
    'command goes on.\n'
  )


@pytest.fixture(scope='module')
def evaluated(tiny_folder, tmp_path_factory):
  """The folder of a run that was evaluated, without its data modules."""
  folder = tmp_path_factory.mktemp('evaluated') / 'run'
  shutil.copytree(tiny_folder / 'run', folder)
  with pytest.MonkeyPatch.context() as patch:
    patch.setenv('GEMB_DATA', str(tiny_folder / 'data'))
    status = main.main(['evaluate', f'--workdir={folder}'])
  if status:
    pytest.fail(f'gemb evaluate exited with {status}')
  return folder


def test_evaluate_sets_gemb_beside_two_baselines_at_every_prefix(evaluated):
  results = json.loads((evaluated / 'results.json').read_text())
  assert results['step'] == 10
  assert [
    (row['system'], row['task'], row['prefix']) for row in results['rows']
  ] == [
    (system, task, prefix)
    for system, prefixes in (
      ('gemb', (4, 8, 16)),
      ('untrained', (4, 8, 16)),
      ('bm25', (None,)),
    )
    for task in ('bitext', 'golden_held_out')
    for prefix in prefixes
  ]
  for row in results['rows']:
    assert all(0 <= value <= 1 for value in row['metrics'].values())
  assert results['similarities'].keys() == {'bitext', 'golden_held_out'}


def test_evaluate_gives_the_trained_model_what_training_saw(evaluated):
  results = json.loads((evaluated / 'results.json').read_text())
  last = json.loads((evaluated / 'metrics.jsonl').read_text().splitlines()[-1])
  found = {
    row['prefix']: row['metrics']['ndcg@10']
    for row in results['rows']
    if (row['system'], row['task']) == ('gemb', 'golden_held_out')
  }
  for prefix, value in found.items():
    key = f'eval/golden_held_out/ndcg@10@{prefix}'
    assert value == pytest.approx(last[key], abs=1e-6)


def test_evaluate_writes_a_report_with_all_systems(evaluated):
  report = (evaluated / 'report.html').read_text()
  assert all(name in report for name in ('untrained', 'BM25', 'golden_pairs'))
  assert '</html>' in report


def test_a_gin_file_names_what_a_model_is_judged_by(run_folder, tmp_path):
  (tmp_path / 'judged.gin').write_text(
    'from __gin__ import dynamic_registration\n'
    'from gemb.evals import suite\n'
    'suite.EvalConfig.bitext = ()\n'
  )
  arguments = [f'--workdir={run_folder}', f'--gin_file={tmp_path}/judged.gin']
  assert main.main(['evaluate', *arguments]) == 0
  results = json.loads((run_folder / 'results.json').read_text())
  assert {row['task'] for row in results['rows']} == {'golden_held_out'}


def test_another_checkpoint_can_be_evaluated(tiny_run, run_folder, capsys):
  assert main.main(['evaluate', f'--workdir={run_folder}', '--step=8']) == 0
  assert 'BM25' in capsys.readouterr().out
  results = json.loads((run_folder / 'results.json').read_text())
  assert results['step'] == 8


@pytest.fixture
def encode(tiny_run, tmp_path):
  """Runs `gemb encode` on TEXTS; returns the vectors."""
  (tmp_path / 'texts.txt').write_text('\n'.join(TEXTS) + '\n')
  output = tmp_path / 'vectors.npy'

  def run(*options):
    arguments = [f'--input={tmp_path / "texts.txt"}', f'--output={output}']
    command = ['encode', f'--workdir={tiny_run}', *arguments, *options]
    assert main.main(command) == 0
    return np.load(output)

  return run


@pytest.mark.parametrize(
  ('options', 'prefix', 'dress'),
  [
    ((), 16, prompts.make_prompt('search result').dress_query),
    (
      ('--task=code retrieval', '--passages', '--prefix=8'),
      8,
      prompts.make_prompt('code retrieval').dress_passage,
    ),
  ],
)
def test_encode_writes_unit_prefixes_of_the_embeddings(
  tiny_run, encode, options, prefix, dress
):
  vectors = encode(*options)
  assert vectors.shape == (4, prefix) and vectors.dtype == np.float32
  np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)
  run, _ = config.load([str(tiny_run / 'config.gin')])
  encoder, _ = trained.load_encoder(run, find_workdir(tiny_run))
  expected = encoder.encode([dress(text) for text in TEXTS])
  np.testing.assert_array_equal(vectors, truncate(expected, prefix))
  np.testing.assert_array_equal(vectors[0], vectors[2])


def test_encode_takes_the_step_asked_for(encode, capsys):
  last = encode()
  assert 'from step 10' in capsys.readouterr().out
  eighth = encode('--step=8')
  assert 'from step 8' in capsys.readouterr().out
  assert not np.allclose(last, eighth)


@pytest.fixture
def decontaminate(tiny_run, tiny_gin, tmp_path):
  """Runs `gemb decontaminate` on the tiny run; returns the report's path."""

  def run(*options):
    output = tmp_path / 'contamination.json'
    arguments = [f'--gin_file={tiny_gin}', f'--output={output}', *options]
    assert main.main(['decontaminate', *arguments]) == 0
    return output

  return run


def test_decontaminate_finds_the_examples_that_are_held_out(
  decontaminate, capsys
):
  report = json.loads(decontaminate().read_text())
  found = report['tasks']['golden_pairs']
  assert report['sets'].keys() == {'golden_held_out'}
  assert (found['examples'], found['exact']) == (300, 2)
  exact = [s['text'] for s in found['samples'] if s['kind'] == 'exact']
  assert sorted(exact) == [
    'Return the sum of the halves of all negative numbers.',
    'The bicycle is in the kitchen.',
  ]
  said = capsys.readouterr().out
  assert '| golden_pairs |      300 |     2 |' in said
  assert 'DataConfig.contaminated = ' in said


def test_decontaminate_takes_files_and_folders_of_evaluation_texts(
  decontaminate, tmp_path
):
  row = {'sentence1': 'ALL EVEN NUMBERS', 'sentence2': 'Where is the key?'}
  (tmp_path / 'own.jsonl').write_text(json.dumps(row))
  folder = pathlib.Path(__file__).parent / 'golden' / 'eval'
  options = [f'--data={tmp_path / "own.jsonl"}', f'--data={folder}']
  report = json.loads(decontaminate(*options).read_text())
  assert {'golden_held_out', 'own', 'bitext', 'code'} <= report['sets'].keys()
  assert report['sets']['own']['texts'] == 2
  assert report['tasks']['golden_pairs']['sets']['own'] > 0


def test_what_decontaminate_found_is_dropped_by_the_cache(
  decontaminate, data_copy, cache, capsys
):
  path = decontaminate()
  found = json.loads(path.read_text())['tasks']['golden_pairs']
  cache(f"DataConfig.contaminated='{path}'")
  left = found['examples'] - len(found['ids'])
  assert f'golden_pairs: {left} examples' in capsys.readouterr().out


@pytest.fixture
def teach(tiny_run, tiny_gin, tmp_path):
  """Runs `gemb teach` on the texts of the tiny run; returns the folder."""

  def run(*options):
    folder = tmp_path / 'teacher'
    arguments = [f'--gin_file={tiny_gin}', f'--output={folder}', *options]
    assert main.main(['teach', *arguments]) == 0
    return folder

  return run


def test_teach_embeds_the_texts_of_a_run(teach, tiny_run, capsys):
  folder = teach(f'--workdir={tiny_run}', '--dtype=float32')
  path = folder / 'golden_pairs.npy'
  assert f'golden_pairs: 298 examples in {path}' in capsys.readouterr().out
  run, _ = config.load([str(tiny_run / 'config.gin')])
  encoder, _ = trained.load_encoder(run, find_workdir(tiny_run))
  (first, *_) = examples.read_texts('golden_pairs')
  prompt = run.data.prompt('golden_pairs')
  wanted = truncate(encoder.encode([prompt.dress_query(first.query)]), 16)
  np.testing.assert_allclose(np.load(path)[0, 0], wanted[0], atol=1e-6)
  model = json.loads((folder / 'teacher.json').read_text())['model']
  assert (model['name'], model['step']) == ('run', 10)
  # Again: it goes on, and nothing is left to do.
  teach(f'--workdir={tiny_run}', '--dtype=float32')
  assert f'{path} is there' in capsys.readouterr().out


def test_teach_writes_the_texts_for_another_program(teach, capsys):
  folder = teach('--texts')
  lines = (folder / 'golden_pairs.jsonl').read_text().splitlines()
  assert len(lines) == 298
  assert json.loads(lines[0]).keys() >= {'query', 'positive', 'negatives'}


def test_a_run_learns_from_its_teacher(teach, tiny_run, tiny_gin, tmp_path):
  folder = teach(f'--workdir={tiny_run}')
  options = [
    f'--gin_file={tiny_gin}',
    f'--workdir={tmp_path / "student"}',
    f"--gin.DataConfig.teacher='{folder}'",
    '--gin.LossConfig.distillation=100.0',
    '--gin.Run.seed=1',
  ]
  assert main.main(['train', *options]) == 0
  lines = (tmp_path / 'student' / 'metrics.jsonl').read_text().splitlines()
  found = [json.loads(line).get('distillation') for line in lines]
  losses = [value for value in found if value is not None]
  assert len(losses) == 10 and losses[-1] < 0.8 * losses[0]
  # The checkpoint goes on with the same vectors only.
  vectors = np.load(folder / 'golden_pairs.npy')
  np.save(folder / 'golden_pairs.npy', -vectors)
  assert main.main(['train', *options, '--gin.Run.steps=12']) == 2


# Bad input. Everything below ends in one sentence and spoils nothing.


@pytest.mark.parametrize(
  ('options', 'complaint'),
  [
    (['--data=nowhere'], 'nowhere holds no .jsonl or .csv file'),
    (
      [
        "--gin.DataConfig.rates={'golden_held_out': 1.0}",
        "--gin.DataConfig.held_out=('golden_pairs',)",
        "--gin.EvalConfig.retrieval=('golden_pairs',)",
        "--gin.EvalConfig.bitext=('golden_pairs',)",
        '--data={tmp_path}/golden_pairs.jsonl',
      ],
      "Two evaluation sets are called 'golden_pairs'",
    ),
    (
      [
        "--gin.DataConfig.held_out=('new',)",
        "--gin.DataConfig.prompts={'golden_pairs': 'clustering', "
        "'new': 'clustering'}",
        "--gin.EvalConfig.retrieval=('new',)",
        "--gin.EvalConfig.bitext=('new',)",
      ],
      'run `gemb cache`',
    ),
    (
      [
        '--gin.DataConfig.held_out=()',
        '--gin.EvalConfig.bitext=()',
        '--gin.EvalConfig.retrieval=()',
        "--gin.CheckpointConfig.best_metric=''",
      ],
      'There are no evaluation sets',
    ),
  ],
)
def test_decontaminate_refuses_what_it_cannot_compare(
  options, complaint, refused, tiny_run, tiny_gin, tmp_path
):
  row = {'sentence1': 'a', 'sentence2': 'b'}
  (tmp_path / 'golden_pairs.jsonl').write_text(json.dumps(row))
  options = [option.replace('{tmp_path}', str(tmp_path)) for option in options]
  output = f'--output={tmp_path / "contamination.json"}'
  assert complaint in refused(
    'decontaminate', f'--gin_file={tiny_gin}', output, *options
  )


@pytest.mark.parametrize(
  ('binding', 'complaint'),
  [
    (
      "DataConfig.rates={'golden_pears': 1.0}",
      "no prompt for task 'golden_pears'; it has some for ['golden_pairs'",
    ),
    ('Run.stpes=3', 'steps'),
    ('OptimizerConfig.learning_rate=fast', 'learning_rate'),
    ('LossConfig.prefixes=(4, 32)', '32'),
    ('DataConfig.batch_size=12', 'DataConfig.batch_size'),
    ('Run.microbatch=12', 'Run.microbatch'),
    ('Run.microbatch=4', 'Run.microbatch is 4, which the 8 devices'),
    ("Run.stage='prefinetune'", 'DataConfig.hard_negatives is 1'),
    (
      "CheckpointConfig.best_metric='bitext/acuracy@16'",
      "'bitext/acuracy@16', which no evaluation gives",
    ),
    ('MeshConfig.data=3', 'data=3'),
    ('EncoderConfig.vocabulary=512', 'has 600 pieces'),
    ('TokenizerConfig.vocabulary=512', 'another TokenizerConfig.name'),
    ("EvalConfig.retrieval=('golden_pairs',)", 'golden_pairs'),
  ],
)
def test_a_config_that_cannot_be_run_is_refused_before_anything_is_written(
  binding, complaint, train_refused, tmp_path
):
  (tmp_path / 'run').mkdir()
  assert complaint in train_refused(tmp_path / 'run', binding)


def test_a_batch_that_the_mesh_does_not_divide_is_refused(
  train_refused, tmp_path
):
  (tmp_path / 'run').mkdir()
  error = train_refused(
    tmp_path / 'run', 'DataConfig.batch_size=12', 'Run.microbatch=12'
  )
  assert 'DataConfig.batch_size is 12, which the 8 devices' in error


@pytest.mark.parametrize(
  ('binding', 'complaint'),
  [
    ('DataConfig.batch_size=16', 'batch_size was 32, is 16'),
    (
      "DataConfig.batch_sizes={'golden_pairs': 16}",
      'batch_sizes.golden_pairs was None, is 16',
    ),
    ('DataConfig.window=4', 'window was 2, is 4'),
    ('DataConfig.mixed=True', 'mixed was False, is True'),
    ('Run.seed=1', 'seed was 0, is 1'),
    ('EncoderConfig.mlp_width=64', 'another architecture'),
    ('EncoderConfig.mlp_width=64', 'encoder.mlp_width was 32, is 64'),
  ],
)
def test_a_run_that_began_as_something_else_is_refused(
  binding, complaint, train_refused, run_folder
):
  assert complaint in train_refused(run_folder, binding)


def test_a_teacher_is_not_narrower_than_the_prefixes(
  train_refused, teach, tiny_run, tmp_path
):
  folder = teach(f'--workdir={tiny_run}')
  (tmp_path / 'run').mkdir()
  vectors = np.load(folder / 'golden_pairs.npy')[..., :8].astype(np.float32)
  lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
  vectors /= np.where(lengths == 0, 1, lengths)
  np.save(folder / 'golden_pairs.npy', vectors)
  error = train_refused(
    tmp_path / 'run',
    f"DataConfig.teacher='{folder}'",
    'LossConfig.distillation=1.0',
  )
  assert 'Prefix 16 is wider than the vectors of DataConfig.teacher' in error


def test_a_teacher_that_is_not_there_is_refused(train_refused, tmp_path):
  (tmp_path / 'run').mkdir()
  error = train_refused(
    tmp_path / 'run',
    "DataConfig.teacher='nowhere'",
    'LossConfig.distillation=1.0',
  )
  assert "nowhere holds no teacher's vectors" in error


@pytest.fixture
def cache(tiny_run, tiny_gin):
  """Runs `gemb cache` here, where TensorFlow is imported once."""

  def run(*bindings):
    options(*(f'--gin.{binding}' for binding in bindings))

  def options(*given):
    assert main.main(['cache', f'--gin_file={tiny_gin}', *given]) == 0

  run.options = options
  return run


def test_other_prompts_are_refused_once_a_run_began(
  train_refused, run_folder, data_copy, cache
):
  binding = (
    "DataConfig.prompts={'golden_pairs': 'clustering', "
    "'golden_held_out': 'clustering'}"
  )
  cache(binding)
  error = train_refused(run_folder, binding)
  assert 'tasks.golden_pairs.query_template was ' in error


def test_another_tokenizer_is_refused_once_a_run_began(
  train_refused, run_folder, data_copy, cache, tmp_path
):
  path = tmp_path / 'other.model'
  path.write_bytes(other_tokenizer(run_folder / 'tokenizer.model'))
  binding = f"TokenizerConfig.path='{path}'"
  cache(binding)
  assert 'tokenizer was ' in train_refused(run_folder, binding)
  # Before the first checkpoint, it is the copy in the folder that tells.
  shutil.rmtree(run_folder / 'checkpoints')
  assert 'was begun with tokenizer' in train_refused(run_folder, binding)


def other_tokenizer(path):
  """Returns a model of the same pieces and another checksum."""
  return path.read_bytes() + b'\xfa\x3f\x00'  # an unknown, empty field


def test_the_same_tokenizer_may_lie_elsewhere(run_folder, tiny_run, tiny_gin):
  path = run_folder / 'tokenizer.model'
  assert (
    main.main(
      [
        'train',
        f'--gin_file={tiny_gin}',
        f'--workdir={run_folder}',
        f"--gin.TokenizerConfig.path='{path}'",
      ]
    )
    == 0
  )


def test_a_tokenizer_replaced_in_the_data_folder_is_refused(
  train_refused, data_copy, tmp_path
):
  (tmp_path / 'run').mkdir()
  path = data_copy / 'tokenizers' / 'tiny' / 'tokenizer.model'
  path.write_bytes(other_tokenizer(path))
  error = train_refused(tmp_path / 'run')
  assert 'tokenizer.model has changed since it was trained' in error


@pytest.mark.parametrize('command', ['evaluate', 'encode'])
def test_a_tokenizer_replaced_in_the_work_folder_is_refused(
  command, refused, run_folder, tmp_path
):
  path = run_folder / 'tokenizer.model'
  path.write_bytes(other_tokenizer(path))
  (tmp_path / 'texts.txt').write_text('a text\n')
  files = [
    f'--input={tmp_path / "texts.txt"}',
    f'--output={tmp_path / "x.npy"}',
  ]
  extra = files if command == 'encode' else []
  error = refused(command, f'--workdir={run_folder}', *extra)
  assert 'tokenizer' in error and 'sha256 was ' in error


def test_a_cache_of_another_configuration_is_refused(
  train_refused, data_copy, tmp_path
):
  (tmp_path / 'run').mkdir()
  (path,) = data_copy.glob('cache/golden_pairs/*/manifest.json')
  manifest = json.loads(path.read_text())
  manifest['spec']['query_template'] = 'query: {text}'
  path.write_text(json.dumps(manifest))
  error = train_refused(tmp_path / 'run')
  assert 'was made with another configuration: query_template is ' in error


def test_truncated_records_are_refused(train_refused, data_copy, tmp_path):
  (tmp_path / 'run').mkdir()
  (path,) = data_copy.glob('cache/golden_pairs/*/*.array_record')
  path.write_bytes(path.read_bytes()[:-1000])
  assert 'is damaged' in train_refused(tmp_path / 'run')


def test_a_work_folder_that_cannot_be_written_is_refused(
  train_refused, tmp_path
):
  (tmp_path / 'file').write_text('a file')
  error = train_refused(tmp_path / 'file' / 'run')
  assert 'cannot be written' in error


@pytest.mark.parametrize('kind', ['rates', 'held_out'])
def test_an_unknown_task_is_named_with_the_nearest(
  kind, refused, tiny_gin, cache, monkeypatch, tmp_path
):
  monkeypatch.setenv('GEMB_DATA', str(tmp_path / 'data'))
  tasks = {'rates': ['golden_pairs'], 'held_out': ['golden_held_out']}
  tasks[kind] = [tasks[kind][0].replace('golden', 'goldne')]
  names = [name for group in tasks.values() for name in group]
  error = refused(
    'cache',
    f'--gin_file={tiny_gin}',
    f'--gin.DataConfig.rates={dict.fromkeys(tasks["rates"], 1.0)}',
    f'--gin.DataConfig.held_out={tuple(tasks["held_out"])}',
    f'--gin.DataConfig.prompts={dict.fromkeys(names, "clustering")}',
    f'--gin.EvalConfig.bitext={tuple(tasks["held_out"])}',
    f'--gin.EvalConfig.retrieval={tuple(tasks["held_out"])}',
  )
  right = {'rates': 'golden_pairs', 'held_out': 'golden_held_out'}[kind]
  assert f"no task '{tasks[kind][0]}'; the nearest are ['{right}'" in error


@pytest.mark.parametrize('shard', ['8/8', '1', '0/0', '-1/2', 'a/b'])
def test_a_part_of_the_work_that_there_is_not_is_refused(
  shard, refused, tiny_gin
):
  error = refused('cache', f'--gin_file={tiny_gin}', f'--shard={shard}')
  assert f'--shard={shard} is no part of the work; give a number' in error


@pytest.mark.parametrize('processes', ['0', '-2', 'two'])
def test_less_than_one_process_is_refused(processes, tiny_gin, capsys):
  with pytest.raises(SystemExit) as stopped:
    main.main(['cache', f'--gin_file={tiny_gin}', f'--processes={processes}'])
  assert stopped.value.code == 2
  assert 'a number of at least 1' in capsys.readouterr().err


def test_the_work_may_be_shared_by_machines(tiny_gin, cache, tmp_path, capsys):
  with pytest.MonkeyPatch.context() as patch:
    patch.setenv('GEMB_DATA', str(tmp_path))
    patch.setattr(jobs, 'EXAMPLES', 100)
    cache.options('--prepare')
    cache.options('--shard=0/2', '--processes=1')
    cache.options('--shard=1/2', '--processes=1')
  said = capsys.readouterr().out
  assert 'golden_pairs: prepared; gemb.data.caching.beam makes it' in said
  assert ' of 3 shards are made; whoever makes the last one' in said
  assert 'golden_pairs: 298 examples, 2 dropped' in said


@pytest.mark.parametrize('command', ['train', 'cache'])
def test_a_misspelt_gin_file_is_named_with_the_nearest(
  command, refused, tmp_path
):
  error = refused(
    command,
    '--gin_file=configs/run/00_quickstrat.gin',
    *([f'--workdir={tmp_path / "run"}'] if command == 'train' else []),
  )
  assert '00_quickstrat.gin' in error and '00_quickstart.gin' in error


@pytest.mark.parametrize('command', ['evaluate', 'encode'])
def test_a_folder_without_a_run_or_checkpoint_is_refused(
  command, refused, run_folder, tmp_path
):
  (tmp_path / 'texts.txt').write_text('a text\n')
  files = [
    f'--input={tmp_path / "texts.txt"}',
    f'--output={tmp_path / "x.npy"}',
  ]
  extra = files if command == 'encode' else []
  empty = tmp_path / 'empty'
  empty.mkdir()
  assert 'holds no run' in refused(command, f'--workdir={empty}', *extra)
  shutil.rmtree(run_folder / 'checkpoints')
  error = refused(command, f'--workdir={run_folder}', *extra)
  assert 'no checkpoint yet' in error


@pytest.mark.parametrize(
  ('option', 'complaint'),
  [
    ('--task=code retreival', 'code retrieval'),
    ('--input=nowhere.txt', 'nowhere.txt'),
    ('--prefix=32', 'choose a prefix from 1 to 16'),
    ('--prefix=0', 'choose a prefix from 1 to 16'),
    ('--step=3', 'no checkpoint of step 3; it has'),
    ('--gin.EncoderConfig.mlp_width=64', 'another architecture'),
  ],
)
def test_encode_refuses_what_it_cannot_do(
  option, complaint, refused, tiny_run, tmp_path
):
  (tmp_path / 'texts.txt').write_text('a text\n')
  (tmp_path / 'x.npy').write_bytes(b'what was there')
  error = refused(
    'encode',
    f'--workdir={tiny_run}',
    f'--input={tmp_path / "texts.txt"}',
    f'--output={tmp_path / "x.npy"}',
    option,
  )
  assert complaint in error


def test_a_file_without_texts_is_refused(refused, tiny_run, tmp_path):
  (tmp_path / 'texts.txt').write_text('')
  error = refused(
    'encode',
    f'--workdir={tiny_run}',
    f'--input={tmp_path / "texts.txt"}',
    f'--output={tmp_path / "x.npy"}',
  )
  assert 'has no line' in error


@pytest.fixture
def begun(tiny_run, tiny_gin, tmp_path, capsys):
  """Returns a folder that `gemb init` began, and what it said."""
  folder = tmp_path / 'begun'
  options = [f'--gin_file={tiny_gin}', f'--workdir={folder}']
  assert main.main(['init', *options]) == 0
  return folder, capsys.readouterr().out


def test_a_begun_run_is_the_model_of_step_zero(begun, tiny_run, tmp_path):
  folder, said = begun
  assert said.endswith('is the model of step 0: use it with --step=0.\n')
  texts = tmp_path / 'texts.txt'
  texts.write_text('one\ntwo\n')
  for workdir in (folder, tiny_run):
    options = [f'--workdir={workdir}', f'--input={texts}', '--step=0']
    output = f'--output={tmp_path / workdir.name}.npy'
    assert main.main(['encode', *options, output]) == 0
  np.testing.assert_array_equal(
    np.load(tmp_path / 'begun.npy'), np.load(tmp_path / 'run.npy')
  )


def test_a_begun_run_can_be_trained(begun, tiny_gin):
  folder, _ = begun
  options = [f'--gin_file={tiny_gin}', f'--workdir={folder}']
  short = ['--gin.Run.steps=4', '--gin.OptimizerConfig.warmup_steps=1']
  assert main.main(['train', *options, *short]) == 0
  assert (folder / 'checkpoints' / '4').is_dir()


def test_a_run_is_not_begun_twice(refused, run_folder, tiny_gin):
  options = [f'--gin_file={tiny_gin}', f'--workdir={run_folder}']
  assert 'holds a run already' in refused('init', *options)


def test_weights_are_not_fetched_before_their_terms_are_accepted(
  refused, tmp_path, monkeypatch
):
  monkeypatch.setenv('GEMB_DATA', str(tmp_path / 'data'))
  error = refused('weights', 'gemma4_270m')
  assert 'gemma3_270m' in error


@pytest.mark.parametrize('step', [[], ['--step=0'], ['--step=8']])
def test_check_says_what_it_found(step, tiny_run, capsys):
  assert main.main(['check', f'--workdir={tiny_run}', *step]) == 0
  said = capsys.readouterr().out
  assert said.splitlines()[-1].endswith('is an encoder.')
  assert len(said.splitlines()) > 8


def test_an_exported_model_starts_another_run(
  tiny_run, tiny_gin, tmp_path, monkeypatch, capsys
):
  exported = tmp_path / 'exported'
  assert (
    main.main(['export', f'--workdir={tiny_run}', f'--output={exported}']) == 0
  )
  assert capsys.readouterr().out == (
    f'Step 10 is in {exported}, and reads back the same.\n'
  )
  (tmp_path / 'again.gin').write_text(
    f"""
from __gin__ import dynamic_registration
from gemb import run
from gemb.data import config as data
from gemb.model import from_decoder
include '{tiny_gin}'
run.Run.pretrained = @from_decoder.PretrainedConfig()
from_decoder.PretrainedConfig.path = '{exported}'
data.TokenizerConfig.path = '{exported}/tokenizer.model'
"""
  )
  again = tmp_path / 'again'
  options = [f'--gin_file={tmp_path}/again.gin', f'--workdir={again}']
  assert main.main(['init', *options]) == 0
  run, _ = config.load([str(tiny_run / 'config.gin')])
  trained_, _ = trained.load_encoder(run, find_workdir(tiny_run))
  run, _ = config.load([str(again / 'config.gin')])
  begun, _ = trained.load_encoder(run, find_workdir(again), step=0)
  jax.tree.map(np.testing.assert_array_equal, begun.params, trained_.params)


def test_an_export_does_not_replace_what_is_there(refused, tiny_run, tmp_path):
  error = refused('export', f'--workdir={tiny_run}', f'--output={tmp_path}')
  assert 'is there already' in error
