"""A checkpoint becomes a folder that sentence-transformers loads.

Written with numpy and json alone: neither PyTorch nor transformers is needed.
"""

import dataclasses
import functools
import operator
import os
import pathlib
import shutil

import jax
import numpy as np
from jaxtyping import Array

from gemb import files
from gemb.data.tokenizer import Tokenizer
from gemb.data.tokenizer_json import tokenizer_files
from gemb.data.weights import Licence
from gemb.encode import Encoder
from gemb.export import contents, model_card
from gemb.export.contents import DENSE, Dtype
from gemb.model.embedder import Embedder, Params, make_embedder
from gemb.model.formats.hugging_face import tensor_name
from gemb.model.formats.places import Checkpoint, Place, places
from gemb.model.formats.safetensors_writer import Tensor, write_tensors
from gemb.model.from_decoder import load_params, open_checkpoint
from gemb.run import Run
from gemb.train.state import abstract_params
from gemb.trained import load_encoder
from gemb.workdir import Workdir

# Embedded before and after: other scripts, a prompt, code, spaces, nothing.
_PROBES = (
  '',
  'Where is the key?',
  'title: none | text: Der Schlüssel liegt unter der Matte.',
  'Где ключ? 鍵はどこですか。 😀',
  'def halve(x):\n  return  x / 2\t# half\n',
)


def export(
  run: Run,
  workdir: Workdir,
  output: str | os.PathLike,
  *,
  step: int | None = None,
  dtype: Dtype = 'float32',
  truncate_dim: int | None = None,
  max_length: int | None = None,
  licence: Licence | None = None,
) -> int:
  """Writes a sentence-transformers folder, and reads it back to compare.

  Args:
    run: as `workdir.config` describes it.
    workdir: of a run that has begun.
    output: the folder, which must not be there yet; it appears whole or not
      at all.
    step: of the checkpoint; 0: the model as it begins; None: the last.
    dtype: of the parameters in the folder.
    truncate_dim: dimensions of its embeddings, unless its user asks for
      others; None: all.
    max_length: most tokens of a text; None: as in training.
    licence: of the weights that the run started from; goes along.

  Returns:
    The checkpoint's step.

  Raises:
    FileExistsError: if `output` is there.
    ValueError: if there is no such checkpoint, an argument is wrong, or
      transformers has no such architecture or tokenizer.
    RuntimeError: if what was written is not the model.
  """
  # What can be wrong is found before parameters are read or anything written.
  output = pathlib.Path(output)
  _check_arguments(run, output, truncate_dim, max_length)
  max_length = max_length or run.data.lengths[-1]
  small_files = _small_files(run, workdir, dtype, truncate_dim, max_length)
  encoder, step = load_encoder(run, workdir, step=step)
  small_files['README.md'] = model_card.make_model_card(
    run,
    workdir,
    step=step,
    dtype=dtype,
    max_length=max_length,
    licence=licence,
  )
  with files.write_folder(output) as folder:
    for name, content in small_files.items():
      files.write_file(folder / name, content)
    shutil.copyfile(workdir.tokenizer, folder / 'tokenizer.model')
    for file in licence.pass_on if licence else ():
      files.write_file(folder / 'licence' / file.name, file.read_bytes())
    _write_and_compare(folder, make_embedder(run.model), encoder, dtype)
  return step


def _check_arguments(
  run: Run,
  output: pathlib.Path,
  truncate_dim: int | None,
  max_length: int | None,
) -> None:
  if output.exists():
    raise FileExistsError(
      f'{output} is there already; move it away, or choose another --output.'
    )
  width = run.model.embedding_width
  if truncate_dim is not None and not 1 <= truncate_dim <= width:
    raise ValueError(
      f'truncate_dim is {truncate_dim}, and the embeddings have {width} '
      f'dimensions; choose one of the prefixes trained, {run.loss.prefixes}.'
    )
  if max_length is not None and max_length < 3:
    raise ValueError(
      f'max_length is {max_length}; a text takes a beginning, an end and at '
      'least one token between.'
    )


def _small_files(
  run: Run,
  workdir: Workdir,
  dtype: Dtype,
  truncate_dim: int | None,
  max_length: int,
) -> dict[str, str]:
  """Returns the content of all files but tensors and card, by name."""
  transformer = contents.transformer_files(
    run.model.encoder, dtype=dtype, max_length=max_length
  )
  modules = contents.module_files(
    run.model,
    texts_before=contents.text_prompts(run.evaluation.mteb_prompts),
    truncate_dim=truncate_dim,
  )
  tokenizer = tokenizer_files(workdir.tokenizer, max_length=max_length)
  return transformer | modules | tokenizer


def _write_and_compare(
  folder: pathlib.Path, embedder: Embedder, encoder: Encoder, dtype: Dtype
) -> None:
  """Writes the parameters, and compares what is read back.

  The encoder's parameters are deleted, so that there is never a second copy.

  Raises:
    RuntimeError: if a parameter or an embedding differs.
  """
  params = encoder.params if dtype == 'float32' else _round(encoder.params)
  wanted = encoder.with_params(params).encode(_PROBES)
  _write_parameters(folder, embedder, params, dtype)
  checkpoint = open_checkpoint(folder, embedder.config.encoder)
  _compare_parameters(checkpoint, embedder, params)
  jax.tree.map(lambda x: x.delete(), params)
  again = dataclasses.replace(
    encoder,
    tokenizer=Tokenizer(folder / 'tokenizer.model'),
    params=load_params(
      checkpoint, embedder, abstract_params(embedder, encoder.layout)
    ),
  )
  difference = np.abs(again.encode(_PROBES) - wanted).max()
  # Some accelerators sum in another order each time.
  if not difference <= 1e-5 * np.abs(wanted).max():
    raise RuntimeError(
      f'Embeddings of the model that was written differ by {difference:g}; '
      'it was not kept. This is a defect of gemb.'
    )


def _write_parameters(
  folder: pathlib.Path, embedder: Embedder, params: Params, dtype: Dtype
) -> None:
  """Writes all parameters as matrices [outputs, inputs], one at a time."""

  def tensor(name: str, place: Place) -> Tensor:
    return Tensor(
      name=name,
      shape=jax.eval_shape(
        place.to_matrix, jax.ShapeDtypeStruct(place.shape, np.float32)
      ).shape,
      read=lambda: place.to_matrix(_fetch(params, place)),
    )

  transformer, dense = [], []
  for place in places(embedder):
    name = tensor_name(place, embedder.config.encoder)
    if name is None:  # the projection, which no Gemma has
      dense.append(tensor('linear.weight', place))
    else:
      transformer.append(tensor(name, place))
  write_tensors(folder, transformer, dtype)
  write_tensors(folder / DENSE, dense, dtype)


def _compare_parameters(
  checkpoint: Checkpoint, embedder: Embedder, params: Params
) -> None:
  """Raises RuntimeError unless all are the same, bit by bit."""
  for place in places(embedder):
    name = checkpoint.name(place)
    same = name is not None and np.array_equal(
      _bits(checkpoint.convert(place, checkpoint.read(name))),
      _bits(_fetch(params, place)),
    )
    if not same:
      raise RuntimeError(
        f'{"/".join(place.path)} was written, and is not the same when it is '
        f'read back (as {name}); the model was not kept. This is a defect of '
        'gemb.'
      )


def _round(params: Params) -> Params:
  """Rounds to what bfloat16 can hold; what was given is deleted."""

  # A cast there and back would be optimised away.
  def as_bfloat16(x: Array) -> Array:
    return jax.lax.reduce_precision(x, exponent_bits=8, mantissa_bits=7)

  return jax.jit(
    functools.partial(jax.tree.map, as_bfloat16), donate_argnums=0
  )(params)


def _fetch(params: Params, place: Place) -> np.ndarray:
  """Returns one parameter, or one layer of it, from its shards."""
  leaf = functools.reduce(operator.getitem, place.path, params)
  return np.asarray(leaf if place.layer is None else _layer(leaf, place.layer))


@jax.jit
def _layer(stacked: Array, layer: int | Array) -> Array:
  return stacked[layer]


def _bits(x: np.ndarray) -> np.ndarray:
  return np.ascontiguousarray(x, np.float32).view(np.uint32)
