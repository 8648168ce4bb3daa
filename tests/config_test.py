"""What a gin file builds, and every way to be wrong about it."""

import dataclasses
import importlib
import importlib.util  # gin's file reader needs it and imports importlib alone
import math
import re
import sys
import textwrap

import gin
import pytest

from gemb import config

_MODULES = {
  'toy/__init__.py': '',
  'toy/optimizer.py': """
    import dataclasses

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class OptimizerConfig:
      learning_rate: float
      warmup_steps: int = 100
      betas: tuple[float, float] = (0.9, 0.95)
      nesterov: bool = False
      limit: float = float('inf')

      def __post_init__(self):
        if self.learning_rate <= 0:
          raise ValueError(
            f'learning_rate must be positive, got {self.learning_rate}.'
          )

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class SgdConfig:
      momentum: float = 0.9
  """,
  'toy/data.py': """
    import dataclasses

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class DataConfig:
      batch_size: int
      lengths: tuple[int, ...] = (64, 256)
      tasks: tuple[str, ...] = ()
      rates: dict[str, float] = dataclasses.field(default_factory=dict)
      limits: dict[str, float] = dataclasses.field(default_factory=dict)
      prompts: dict[str, str] = dataclasses.field(default_factory=dict)
  """,
  'toy/run.py': """
    import dataclasses
    from typing import Any, Literal

    from toy import data, optimizer

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Run:
      train: data.DataConfig
      optimizer: optimizer.OptimizerConfig | optimizer.SgdConfig
      stage: Literal['prefinetune', 'finetune'] = 'finetune'
      name: str | None = None
      seed: int | None = 0
      eval: data.DataConfig | None = None
      evals: tuple[data.DataConfig, ...] = ()
      also: 'Run | None' = None
      sgd: optimizer.SgdConfig = optimizer.SgdConfig()
      anything: Any = None
  """,
  'toy/other/__init__.py': '',
  'toy/other/optimizer.py': """
    import dataclasses
    from toy import optimizer

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class SgdConfig(optimizer.SgdConfig):
      decay: float = 0.0
  """,
  'toy/broken.py': 'import no_such_library',
}

_HEAD = """\
from __gin__ import dynamic_registration
from toy import data
from toy import optimizer
from toy import run
"""

_RUN = (
  _HEAD
  + """
BATCH = 8

run.Run.optimizer = @optimizer.OptimizerConfig()
run.Run.train = @train/data.DataConfig()
run.Run.eval = @eval/data.DataConfig()
run.Run.name = 'a "run" = @x, # 1'
run.Run.seed = None
optimizer.OptimizerConfig:
  learning_rate = 1e-4  # a comment
  betas = (0.5, 1)
data.DataConfig.batch_size = %BATCH
data.DataConfig.rates = {'a': 1, 'b': -2e-5}
data.DataConfig.prompts = {'query': 'task: {task} | query: '}
eval/data.DataConfig.batch_size = 2
eval/data.DataConfig.tasks = ('one',)
"""
)


@pytest.fixture(scope='module', autouse=True)
def toy_package(tmp_path_factory):
  folder = tmp_path_factory.mktemp('modules')
  for name, text in _MODULES.items():
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))
  sys.path.insert(0, str(folder))
  importlib.invalidate_caches()
  yield
  sys.path.remove(str(folder))
  for name in [n for n in sys.modules if n.split('.')[0] == 'toy']:
    del sys.modules[name]


@pytest.fixture(autouse=True)
def in_tmp_path(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'run.gin').write_text(_RUN)
  return tmp_path


@pytest.fixture
def write(tmp_path):
  def write_file(text, name='run.gin'):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return name

  return write_file


def _error(*bindings, files=('run.gin',)):
  """The one-line message that loading raises."""
  with pytest.raises(config.ConfigError) as caught:
    config.load(list(files), list(bindings))
  assert '\n' not in str(caught.value)
  return str(caught.value)


def test_a_file_builds_the_frozen_tree_it_describes():
  run, _ = config.load(['run.gin'])
  assert run.optimizer.learning_rate == 1e-4
  assert run.optimizer.betas == (0.5, 1.0)
  assert run.train.batch_size == 8
  assert run.eval.batch_size == 2
  assert run.eval.tasks == ('one',)
  assert run.train.rates == run.eval.rates == {'a': 1.0, 'b': -2e-5}
  assert run.seed is None
  assert type(run).__module__ == 'toy.run'
  with pytest.raises(dataclasses.FrozenInstanceError):
    run.seed = 1


def test_an_integer_bound_to_a_float_field_becomes_a_float():
  run, _ = config.load(['run.gin'], ['OptimizerConfig.learning_rate=1'])
  assert type(run.optimizer.learning_rate) is float
  assert type(run.optimizer.betas[1]) is float
  assert type(run.train.rates['a']) is float


@pytest.mark.parametrize(
  'binding',
  [
    'OptimizerConfig.learning_rate=1e-3',
    'optimizer.OptimizerConfig.learning_rate=1e-3',
    'toy.optimizer.OptimizerConfig.learning_rate = 1e-3',
  ],
)
def test_the_command_line_names_a_configurable_by_any_end_of_its_name(binding):
  run, _ = config.load(['run.gin'], [binding])
  assert run.optimizer.learning_rate == 1e-3


def test_the_command_line_overrides_scopes_macros_and_references():
  run, _ = config.load(
    ['run.gin'],
    [
      'train/DataConfig.lengths=(1, 2)',
      'BATCH=16',
      'Run.optimizer=@SgdConfig()',
      'SgdConfig.momentum=0.5',
      "Run.stage='prefinetune'",
    ],
  )
  assert run.train.lengths == (1, 2)
  assert run.eval.lengths == (64, 256)
  assert run.train.batch_size == 16
  assert run.optimizer.momentum == 0.5
  assert run.stage == 'prefinetune'


def test_a_scope_is_inherited_and_the_deeper_scope_wins(write):
  write(
    _RUN + 'run.Run.also = @inner/run.Run()\n'
    'inner/run.Run.also = None\n'
    'inner/run.Run.train = @data.DataConfig()\n'
    'inner/run.Run.eval = @eval/deep/data.DataConfig()\n'
    'inner/data.DataConfig.batch_size = 3\n'
    'eval/deep/data.DataConfig.lengths = (9,)\n'
  )
  run, text = config.load(['run.gin'])
  assert run.also.train.batch_size == 3
  assert run.also.eval.batch_size == 2
  assert run.also.eval.lengths == (9,)
  assert run.eval.lengths == (64, 256)
  write(text, 'operative.gin')
  assert config.load(['operative.gin']) == (run, text)


def test_a_tuple_may_hold_references():
  run, _ = config.load(
    ['run.gin'], ['Run.evals=(@eval/DataConfig(), @train/DataConfig())']
  )
  assert [data.batch_size for data in run.evals] == [2, 8]


def test_includes_and_later_files_override_what_stands_before(write):
  write(_HEAD + "run.Run.name = 'small'\n", 'configs/small.gin')
  write(_RUN + "include 'configs/small.gin'\n")
  assert config.load(['run.gin'])[0].name == 'small'
  write(_HEAD + "run.Run.name = 'last'\n", 'last.gin')
  assert config.load(['run.gin', 'last.gin'])[0].name == 'last'


def test_a_path_may_be_relative_to_the_repository(write, tmp_path, monkeypatch):
  write(_RUN, 'repository/configs/run/00_toy.gin')
  monkeypatch.setattr(config, '_REPOSITORY', tmp_path / 'repository')
  assert config.load(['configs/run/00_toy.gin'])[0].seed is None


@pytest.mark.parametrize(
  'bindings',
  [
    [],
    ['Run.eval=None'],
    ['Run.optimizer=@SgdConfig()'],
    ['BATCH=3', 'eval/DataConfig.lengths=()', 'DataConfig.tasks=("x", "y")'],
    ['OptimizerConfig.limit=1e999', 'Run.seed=-1'],
    ["Run.name='tab\\t quote\\' newline\\n é'"],
    ['Run.anything=({"a": (1, 2.5, None, True), "b": [1]},)'],
  ],
)
def test_the_operative_text_loads_to_an_equal_run_and_text(write, bindings):
  run, text = config.load(['run.gin'], bindings)
  write(text, 'operative.gin')
  assert config.load(['operative.gin']) == (run, text)


def test_the_operative_text_shows_defaults_and_comments_what_gin_cannot_write():
  _, text = config.load(['run.gin'])
  assert text.startswith(
    'from __gin__ import dynamic_registration\n\nfrom toy import data\n'
  )
  assert '\noptimizer.OptimizerConfig.warmup_steps = 100\n' in text
  assert '\noptimizer.OptimizerConfig.limit = 1e999\n' in text
  assert '\neval/data.DataConfig.batch_size = 2\n' in text
  assert '\ntrain/data.DataConfig.limits = {}\n' in text
  assert '\n# run.Run.sgd = SgdConfig(momentum=0.9)\n' in text


def test_the_operative_text_tells_modules_of_one_name_apart(write):
  text = _RUN.replace(
    'from toy import run\n',
    'from toy import run\nfrom toy.other import optimizer as other\n',
  )
  write(text + 'run.Run.sgd = @other.SgdConfig()\n')
  run, text = config.load(['run.gin'], ['other.SgdConfig.decay=0.5'])
  assert run.sgd.decay == 0.5
  assert 'from toy.other import optimizer as toy_other_optimizer\n' in text
  write(text, 'operative.gin')
  assert config.load(['operative.gin']) == (run, text)


@pytest.mark.parametrize('which', ['the files', 'the operative text'])
def test_gin_itself_builds_the_same_tree(write, which):
  ours, text = config.load(['run.gin'])
  write(text, 'operative.gin')
  file = 'run.gin' if which == 'the files' else 'operative.gin'
  gin.clear_config()
  try:
    gin.parse_config_file(file)
    theirs = gin.get_configurable('run.Run')()
  finally:
    gin.clear_config()
  assert theirs == ours


def test_two_loads_in_a_row_do_not_leak_into_each_other(write):
  first, _ = config.load(['run.gin'], ['Run.seed=1', 'BATCH=3'])
  _error('Run.sed=2')
  second, text = config.load(['run.gin'])
  assert (first.seed, first.train.batch_size) == (1, 3)
  assert (second.seed, second.train.batch_size) == (None, 8)
  config.load(['run.gin'], ['Run.seed=5'])
  assert config.load(['run.gin']) == (second, text)
  assert gin.config_str() == ''


def test_a_dict_is_not_shared_between_two_loads():
  first, _ = config.load(['run.gin'])
  first.train.rates['a'] = 7.0
  assert config.load(['run.gin'])[0].train.rates['a'] == 1.0


# Every mistake is one sentence.


@pytest.mark.parametrize(
  ('binding', 'message'),
  [
    (
      'OptimizerConfig.learning_rte=1',
      'OptimizerConfig has no parameter learning_rte; '
      'did you mean learning_rate?',
    ),
    (
      'OptimiserConfig.learning_rate=1',
      'no configurable OptimiserConfig is imported by the files; '
      'did you mean OptimizerConfig?',
    ),
    (
      'optimiser.OptimizerConfig.learning_rate=1',
      'no configurable optimiser.OptimizerConfig is imported by the files; '
      'did you mean optimizer.OptimizerConfig?',
    ),
    (
      'Run.train=@train/DataConfg()',
      'no configurable DataConfg is imported by the files; '
      'did you mean DataConfig?',
    ),
    (
      'BATCHES=1',
      'nothing uses the macro BATCHES; did you mean BATCH?',
    ),
    (
      'DataConfig.batch_size=%batch',
      'the macro %batch has no value; did you mean BATCH?',
    ),
    (
      'trian/DataConfig.batch_size=1',
      'nothing receives trian/DataConfig.batch_size: '
      'no reference enters the scope trian/; did you mean train?',
    ),
    (
      'train/OptimizerConfig.warmup_steps=1',
      'nothing receives train/OptimizerConfig.warmup_steps: no reference '
      'builds OptimizerConfig in the scope train/; '
      'in use: DataConfig, OptimizerConfig, Run.',
    ),
    (
      'SgdConfig.momentum=0.5',
      'nothing receives SgdConfig.momentum: no reference builds SgdConfig; '
      'in use: DataConfig, OptimizerConfig, Run.',
    ),
    (
      'Run.stage=finetune',
      'a string needs quotes; write --gin.Run.stage="\'finetune\'".',
    ),
    (
      'Run.name=gs://bucket/a-1',
      'a string needs quotes; write --gin.Run.name="\'gs://bucket/a-1\'".',
    ),
    (
      'OptimizerConfig.nesterov=true',
      'OptimizerConfig.nesterov got true; write True.',
    ),
    (
      'Run.train=@DataConfig',
      '@DataConfig names a class and builds nothing; write @DataConfig().',
    ),
    (
      'Run.seed',
      "cannot parse 'Run.seed' "
      "(Couldn't parse statement, expected ':' or '='.).",
    ),
    ('', "got '', wanted one NAME=VALUE, for example Run.seed=1."),
    (
      'A=1\nB=2',
      "got 'A=1\\nB=2', wanted one NAME=VALUE, for example Run.seed=1.",
    ),
    (
      "include 'a.gin'",
      'got "include \'a.gin\'", wanted one NAME=VALUE, for example Run.seed=1.',
    ),
    ('Run.seed=2*3', "cannot parse 'Run.seed=2*3' (Expected newline.)."),
    (
      'DataConfig.lengths=(1,',
      "cannot parse 'DataConfig.lengths=(1,' (EOF in multi-line statement).",
    ),
    (
      'DataConfig.rates={"a": b}',
      """cannot parse 'DataConfig.rates={"a": b}' (cannot read 'b').""",
    ),
    (
      'DataConfig.rates={[1]: 2}',
      "cannot parse 'DataConfig.rates={[1]: 2}' (unhashable type: 'list').",
    ),
    (
      'BATCH=@DataConfig()',
      'the macro BATCH holds a reference; a macro holds a plain value, '
      'so bind the reference where it belongs.',
    ),
    ('BATCH=%BATCH', 'the macro %BATCH holds itself.'),
    ('Run.also=@Run()', 'Run is a part of itself.'),
  ],
)
def test_a_mistake_on_the_command_line_is_one_sentence(binding, message):
  assert _error(binding) == f'command line: {message}'


@pytest.mark.parametrize(
  ('binding', 'sentence'),
  [
    ('Run.seed=True', 'has type bool, wanted int | None.'),
    ('Run.seed=1.0', 'has type float, wanted int | None; write 1.'),
    ("Run.seed='1'", 'has type str, wanted int | None.'),
    ('Run.name=5', "has type int, wanted str | None; write '5'."),
    ("Run.stage='tune'", "has type str, wanted 'prefinetune' | 'finetune'."),
    ('Run.train=None', 'has type None, wanted DataConfig.'),
    ('Run.train=@SgdConfig()', 'has type SgdConfig, wanted DataConfig.'),
    ('Run.eval=3', 'has type int, wanted DataConfig | None.'),
    ('Run.seed=@train/SgdConfig()', 'has type SgdConfig, wanted int | None.'),
    ('OptimizerConfig.nesterov=1', 'has type int, wanted bool.'),
    ("OptimizerConfig.limit='1e-4'", 'has type str, wanted float.'),
    ('OptimizerConfig.limit=False', 'has type bool, wanted float.'),
    (
      'OptimizerConfig.betas=(0.1, 0.2, 0.3)',
      'has type tuple, wanted tuple[float, float].',
    ),
    (
      'DataConfig.lengths=[1, 2]',
      'has type list, wanted tuple[int, ...]; write (1, 2).',
    ),
    (
      'DataConfig.lengths=1',
      'has type int, wanted tuple[int, ...]; write (1,).',
    ),
    ('DataConfig.lengths=(1, True)', 'has type tuple, wanted tuple[int, ...].'),
    (
      "DataConfig.tasks='a'",
      "has type str, wanted tuple[str, ...]; write ('a',).",
    ),
    ("DataConfig.rates={'a': '1'}", 'has type dict, wanted dict[str, float].'),
    ('DataConfig.rates={1: 1.0}', 'has type dict, wanted dict[str, float].'),
    ("DataConfig.prompts={'a': 1}", 'has type dict, wanted dict[str, str].'),
  ],
)
def test_a_value_of_the_wrong_type_is_refused(binding, sentence):
  name, _, value = binding.partition('=')
  assert _error(binding) == f'command line: {name} = {value} {sentence}'


def test_a_value_from_a_macro_names_both_places():
  assert _error('Run.name=%BATCH') == (
    'command line (%BATCH from run.gin:6): Run.name = 8 has type int, '
    "wanted str | None; write '8'."
  )
  assert _error('BATCH=0.5') == (
    'run.gin:16 (%BATCH from command line): data.DataConfig.batch_size = 0.5 '
    'has type float, wanted int.'
  )


_FILE_MISTAKES = [
  (
    'betas = (0.5, 1)',
    "betas = '0.5'",
    "15: optimizer.OptimizerConfig.betas = '0.5' has type str, "
    'wanted tuple[float, float].',
  ),
  (
    'eval/data.DataConfig.tasks',
    'eval/data.DataConfig.task',
    '20: data.DataConfig has no parameter task; did you mean tasks?',
  ),
  (
    'eval/data.DataConfig.tasks',
    'eval/data.DataConfg.tasks',
    '20: no configurable data.DataConfg is imported here; '
    'did you mean data.DataConfig?',
  ),
  (
    'eval/data.DataConfig.tasks',
    'evl/data.DataConfig.tasks',
    '20: nothing receives evl/data.DataConfig.tasks: no reference enters the '
    'scope evl/; did you mean eval?',
  ),
  (
    '@eval/data.DataConfig()',
    '@evl/data.DataConfig()',
    '19: nothing receives eval/data.DataConfig.batch_size: no reference '
    'enters the scope eval/; did you mean evl?',
  ),
  (
    '@train/data.DataConfig()',
    '@train/DataConf()',
    '9: no configurable DataConf is imported here; did you mean DataConfig?',
  ),
  (
    '= %BATCH',
    '= %BACH',
    '16: the macro %BACH has no value; did you mean BATCH?',
  ),
  (
    'BATCH = 8',
    'BATCH = 8\nLENGTH = 9',
    '7: nothing uses the macro LENGTH; known here: BATCH.',
  ),
  (
    'BATCH = 8',
    'BATCH = 8\nBATCH = 9',
    '7: BATCH is given twice (first: run.gin:6); keep one.',
  ),
  (
    'run.Run.seed = None',
    'run.Run.seed = 1\nrun.Run.seed = None',
    '13: run.Run.seed is given twice (first: run.gin:12); keep one.',
  ),
  (
    'run.Run.seed = None',
    'run.Run.seed = none  # no seed',
    '12: run.Run.seed got none; write None.',
  ),
  (
    'run.Run.seed = None',
    'run.Run.name = small',
    "12: a string needs quotes; write run.Run.name = 'small'.",
  ),
  (
    '= (0.5, 1)',
    '= (0.5, 1',
    "16: cannot parse 'data.DataConfig.batch_size = %BATCH' "
    "(Expected ',' or ')'.).",
  ),
  (
    '= (0.5, 1)',
    '= "0.5',
    """15: cannot parse 'betas = "0.5' (Unable to parse value.).""",
  ),
  (
    '\'a "run" = @x, # 1\'',
    "('a'",
    "12: cannot parse 'run.Run.seed = None' (Expected ',' or ')'.).",
  ),
  (
    'OptimizerConfig:\n',
    'OptimizerConfig.betas = (1,\n',
    "14: cannot parse 'learning_rate = 1e-4  # a comment' "
    "(cannot read 'learning_rate').",
  ),
  (
    'betas = (0.5, 1)',
    'betas',
    "15: cannot parse 'betas' (Expected '='. Got NEWLINE = .).",
  ),
  (
    'from toy import data',
    'from toy import dat',
    '2: importing toy.dat: there is no module toy.dat; did you mean data?',
  ),
  (
    'from toy import data',
    'import toy.data.more',
    '2: importing toy.data.more: there is no module toy.data.more.',
  ),
  (
    'from toy import data',
    'from no_such_package_at_all import data',
    '2: importing no_such_package_at_all.data: there is no module '
    'no_such_package_at_all',
  ),
  (
    'from toy import data',
    'from toy import broken',
    "2: importing toy.broken fails: No module named 'no_such_library'.",
  ),
  (
    'learning_rate = 1e-4',
    'warmup_steps = 5',
    '8: OptimizerConfig lacks a value; bind OptimizerConfig.learning_rate.',
  ),
  (
    'learning_rate = 1e-4',
    'learning_rate = -1',
    '14: OptimizerConfig: learning_rate must be positive, got -1.0.',
  ),
]


@pytest.mark.parametrize(('right', 'wrong', 'message'), _FILE_MISTAKES)
def test_a_mistake_in_a_file_names_its_line(write, right, wrong, message):
  assert _RUN.count(right) == 1
  write(_RUN.replace(right, wrong))
  assert _error().startswith(f'run.gin:{message}')


def test_a_binding_given_twice_on_the_command_line_is_refused():
  assert _error('Run.seed=1', 'run.Run.seed=2') == (
    'command line: run.Run.seed is given twice (first: command line); keep one.'
  )


def test_a_macro_may_hold_another(write):
  write(_RUN + 'SMALL = 4\n')
  run, _ = config.load(['run.gin'], ['BATCH=%SMALL'])
  assert run.train.batch_size == 4


def test_an_overridden_binding_and_all_below_it_need_not_be_received():
  run, _ = config.load(
    ['run.gin'], ['Run.eval=None', 'train/DataConfig.batch_size=1']
  )
  assert run.eval is None
  assert run.train.batch_size == 1


def test_a_name_of_two_configurables_must_be_told_apart(write):
  write(
    _RUN.replace(
      'from toy import run\n',
      'from toy import run\nfrom toy.other import optimizer as other\n',
    )
  )
  assert _error('Run.optimizer=@SgdConfig()') == (
    'command line: SgdConfig may be toy.optimizer.SgdConfig or '
    'toy.other.optimizer.SgdConfig; write more of the name.'
  )


def test_a_sentence_of_post_init_comes_through_with_its_configurable():
  assert _error('OptimizerConfig.learning_rate=-1') == (
    'command line: OptimizerConfig: learning_rate must be positive, got -1.0.'
  )


def test_a_missing_file_names_its_neighbours(write):
  write('', 'configs/run/00_quickstart.gin')
  assert _error(files=['configs/run/00_quickstrat.gin']) == (
    'command line: there is no file configs/run/00_quickstrat.gin; '
    'did you mean 00_quickstart.gin?'
  )
  assert _error(files=['confgs/run/00_quickstart.gin']) == (
    'command line: there is no file confgs/run/00_quickstart.gin, nor a folder '
    'confgs/run; the path is relative to the working directory or to the '
    'repository.'
  )


def test_a_missing_include_names_the_line_that_asks_for_it(write):
  write("include 'run.gn'\n", 'more.gin')
  assert _error(files=['run.gin', 'more.gin']) == (
    'more.gin:1: there is no file run.gn; did you mean run.gin?'
  )


def test_a_file_read_twice_is_refused(write):
  write("include 'run.gin'\n", 'more.gin')
  assert _error(files=['run.gin', 'more.gin']) == (
    'more.gin:1: run.gin was already read (command line), and would override '
    'what stands between; name it once.'
  )


def test_a_file_that_is_no_text_is_refused(tmp_path):
  (tmp_path / 'run.gin').write_bytes(b'\xff\xfe')
  assert re.match(r'command line: cannot read .*run\.gin \(.*\)\.$', _error())


def test_a_file_without_dynamic_registration_is_refused(write):
  write('from toy import run\n')
  assert _error() == (
    'run.gin:1: the first import must be '
    "'from __gin__ import dynamic_registration'; add it above."
  )


def test_files_without_a_root_are_refused(write):
  write(_HEAD)
  with pytest.raises(config.ConfigError) as caught:
    config.load(['run.gin'], root='Runn')
  assert str(caught.value) == (
    'run.gin: no configurable Runn is imported by the files; did you mean Run?'
  )
  assert _error(files=()) == (
    'command line: no configurable Run is imported by the files.'
  )


def test_the_program_of_a_part_alone_builds_the_part(tmp_path):
  tree, text = config.load(
    ['run.gin'],
    ['OptimizerConfig.warmup_steps=7'],
    program_of='OptimizerConfig',
  )
  (tmp_path / 'part.gin').write_text(text)
  part, again = config.load(['part.gin'], root='OptimizerConfig')
  assert part == tree.optimizer
  assert part.warmup_steps == 7
  assert again == text
  assert 'DataConfig' not in text


def test_every_truncated_file_loads_or_is_refused_in_one_sentence(write):
  for length in range(len(_HEAD), len(_RUN), 3):
    write(_RUN[:length])
    try:
      config.load(['run.gin'])
    except config.ConfigError as error:
      assert '\n' not in str(error)


def test_an_infinite_default_survives_the_operative_text(write):
  _, text = config.load(['run.gin'])
  write(text, 'operative.gin')
  assert math.isinf(config.load(['operative.gin'])[0].optimizer.limit)
