"""A SentencePiece model in the files that Hugging Face's tokenizers read.

Both find the same ids. SentencePiece's byte pairs are merges in the order of
their scores, and its user-defined pieces, which it looks for before all else
and longest first, are what tokenizers calls added tokens.
"""

import json
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

from sentencepiece import sentencepiece_model_pb2

_proto: Any = sentencepiece_model_pb2  # its classes are made when imported
_Model, _Trainer = _proto.ModelProto, _proto.TrainerSpec
_Piece = _Model.SentencePiece
_SPACE = '\N{LOWER ONE EIGHTH BLOCK}'  # SentencePiece's letter for a space
_ROLES = ('pad', 'eos', 'bos', 'unk')


def tokenizer_files(
  path: str | os.PathLike, *, max_length: int
) -> dict[str, str]:
  """Returns the content of each file, by its name.

  Texts become <bos> text <eos>, cut as `Tokenizer.cut` does. A text that spells
  a control token, such as '<eos>', gets the ids of its letters, where
  transformers loads the files; the tokenizers library alone knows no such
  setting, and would end the text there.

  Args:
    path: of a SentencePiece model that `Tokenizer` has loaded.
    max_length: most ids of a text.

  Raises:
    ValueError: if it is no byte-pair model with byte fallback that leaves the
      text as it is, which is what Gemma's are.
  """
  model = _Model.FromString(pathlib.Path(path).read_bytes())
  _check(path, model)
  names = {f'{role}_token': _name(model, role) for role in _ROLES}
  settings = {
    'tokenizer_class': 'PreTrainedTokenizerFast',
    'model_max_length': max_length,
    'padding_side': 'right',
    'truncation_side': 'right',
    'clean_up_tokenization_spaces': False,
    # What a text says is never taken for a control token.
    'split_special_tokens': True,
    **names,
  }
  contents = {
    'tokenizer.json': _tokenizer(model, names),
    'tokenizer_config.json': settings,
    'special_tokens_map.json': names,
  }
  return {
    name: json.dumps(content, ensure_ascii=False, indent=indent) + '\n'
    for (name, content), indent in zip(
      contents.items(), (None, 2, 2), strict=True
    )
  }


def _check(path: str | os.PathLike, model: Any) -> None:
  trainer, normalizer = model.trainer_spec, model.normalizer_spec
  problems = {
    'is no byte-pair model': trainer.model_type != _Trainer.BPE,
    'has no byte fallback': not trainer.byte_fallback,
    'normalises texts': bool(normalizer.precompiled_charsmap),
    'adds a space before texts': normalizer.add_dummy_prefix,
    'removes spaces': normalizer.remove_extra_whitespaces,
    'keeps spaces as they are': not normalizer.escape_whitespaces,
    'has unused pieces': any(p.type == _Piece.UNUSED for p in model.pieces),
  }
  if found := [problem for problem, is_so in problems.items() if is_so]:
    raise ValueError(
      f'{path} {" and ".join(found)}, so it cannot be exported without a '
      "change of ids; train the model with Gemma's options, as `gemb cache` "
      'does.'
    )


def _name(model: Any, role: str) -> str:
  return getattr(model.trainer_spec, f'{role}_piece')


def _tokenizer(model: Any, names: dict[str, str]) -> dict[str, Any]:
  """Returns the content of tokenizer.json."""
  vocabulary = {piece.piece: i for i, piece in enumerate(model.pieces)}
  bos, eos = names['bos_token'], names['eos_token']
  return {
    'version': '1.0',
    'truncation': None,
    'padding': None,
    'added_tokens': list(_added_tokens(model.pieces)),
    'normalizer': {
      'type': 'Replace',
      'pattern': {'String': ' '},
      'content': _SPACE,
    },
    'pre_tokenizer': None,
    'post_processor': {
      'type': 'TemplateProcessing',
      'single': [_special(bos), _sequence('A'), _special(eos)],
      'pair': [
        *(_special(bos), _sequence('A'), _special(eos)),
        *(_special(bos), _sequence('B'), _special(eos)),
      ],
      'special_tokens': {
        name: {'id': name, 'ids': [vocabulary[name]], 'tokens': [name]}
        for name in (bos, eos)
      },
    },
    'decoder': {
      'type': 'Sequence',
      'decoders': [
        {'type': 'Replace', 'pattern': {'String': _SPACE}, 'content': ' '},
        {'type': 'ByteFallback'},
        {'type': 'Fuse'},
      ],
    },
    'model': {
      'type': 'BPE',
      'dropout': None,
      'unk_token': names['unk_token'],
      'continuing_subword_prefix': None,
      'end_of_word_suffix': None,
      'fuse_unk': True,
      'byte_fallback': True,
      'ignore_merges': False,
      'vocab': vocabulary,
      'merges': list(_merges(model.pieces)),
    },
  }


def _added_tokens(pieces: Sequence[Any]) -> Iterator[dict[str, Any]]:
  special = (_Piece.CONTROL, _Piece.UNKNOWN)
  for number, piece in enumerate(pieces):
    if piece.type in (*special, _Piece.USER_DEFINED):
      yield {
        'id': number,
        'content': piece.piece,
        'single_word': False,
        'lstrip': False,
        'rstrip': False,
        # Looked for where spaces are SentencePiece's, as its own pieces are;
        # all in one pass, since the longest of those that overlap wins.
        'normalized': piece.type == _Piece.USER_DEFINED,
        'special': piece.type in special,
      }


def _merges(pieces: Sequence[Any]) -> Iterator[tuple[str, str]]:
  """Yields the pairs that make a piece; the best piece's come first.

  User-defined pieces are found before there are pairs: none makes one.
  """
  normal = [piece for piece in pieces if piece.type == _Piece.NORMAL]
  known = {piece.piece for piece in normal}
  for piece in sorted(normal, key=lambda piece: -piece.score):
    text = piece.piece
    for k in range(1, len(text)):
      first, second = text[:k], text[k:]
      if first in known and second in known:
        yield first, second


def _special(name: str) -> dict[str, Any]:
  return {'SpecialToken': {'id': name, 'type_id': 0}}


def _sequence(name: str) -> dict[str, Any]:
  return {'Sequence': {'id': name, 'type_id': 0}}
