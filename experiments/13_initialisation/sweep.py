"""Does it help to begin as a decoder?"""

import dataclasses

import decoder
from miniature import SHORT

_WITH_PARENT = dataclasses.replace(
  SHORT, files=(*SHORT.files, 'experiments/parent.gin')
)
_FOLDER = str(decoder.FOLDER)
POINTS = {
  'random parameters': SHORT,
  'a decoder': _WITH_PARENT.but(
    f'ParentConfig.workdir={str(decoder.FOLDER)!r}'
  ),
}


def prepare() -> None:
  """Trains the decoder, if it is not yet."""
  decoder.train()
