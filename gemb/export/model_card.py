"""The model card: README.md of an exported folder."""

import json
from typing import Any

import jinja2

from gemb.data.weights import Licence
from gemb.evals.results import Results, markdown_table
from gemb.export.contents import Dtype, text_prompts
from gemb.model.formats.hugging_face import config_json
from gemb.run import Run
from gemb.train.checkpoints import Checkpoints
from gemb.workdir import Workdir

_FAMILIES = {
  'gemma': 'Gemma 1',
  'gemma2': 'Gemma 2',
  'gemma3_text': 'Gemma 3',
}


def make_model_card(
  run: Run,
  workdir: Workdir,
  *,
  step: int,
  dtype: Dtype,
  max_length: int,
  licence: Licence | None,
) -> str:
  """Returns the card: use, prompts, training, scores and configuration.

  Args:
    run: as `workdir.config` describes it.
    workdir: whose results are shown if they are of this step.
    step: of the checkpoint.
    dtype: of the parameters in the folder.
    max_length: most tokens of a text.
    licence: of the weights that the run started from.
  """
  architecture = config_json(run.model.encoder)
  return _template().render(
    name=workdir.root.name,
    run=run,
    step=step,
    dtype=dtype,
    max_length=max_length,
    texts_before=text_prompts(run.evaluation.mteb_prompts),
    licence=licence,
    family=_FAMILIES[architecture['model_type']],
    # Releases before transformers 5 ignore this switch, and stay causal.
    recent_only='is_causal' in architecture,
    contamination=_contamination(run, workdir, step),
    scores=_scores(workdir, step),
    versions=_versions(workdir),
    config_text=workdir.config.read_text(encoding='utf-8').strip(),
  )


def _scores(workdir: Workdir, step: int) -> str | None:
  """Returns the table of results, if they are of this very checkpoint."""
  if not workdir.results.is_file():
    return None
  results: Results = json.loads(workdir.results.read_text(encoding='utf-8'))
  return markdown_table(results) if results.get('step') == step else None


def _contamination(
  run: Run, workdir: Workdir, step: int
) -> dict[str, dict[str, Any]]:
  """Returns what `gemb decontaminate` found in the data of a checkpoint."""
  with Checkpoints(workdir.checkpoints, run.checkpoints) as checkpoints:
    if step not in checkpoints.steps():  # a model as it begins saw no data
      return {}
    tasks = checkpoints.about(step)['data']['tasks']
  found = {task: about.get('contamination') for task, about in tasks.items()}
  return {task: summary for task, summary in found.items() if summary}


def _versions(workdir: Workdir) -> str:
  about: dict[str, Any] = json.loads(workdir.about.read_text(encoding='utf-8'))
  named = [f'{name} {version}' for name, version in about['versions'].items()]
  return ', '.join([*named, f'commit {about["commit"]}'])


def _template() -> jinja2.Template:
  environment = jinja2.Environment(
    loader=jinja2.PackageLoader('gemb.export', '.'),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
  )
  return environment.get_template('model_card.md')
