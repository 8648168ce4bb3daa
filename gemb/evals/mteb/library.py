"""The library mteb, made ready before its first import."""

import os
import pathlib
import urllib.error
import urllib.request

_HUB = 'https://huggingface.co'


def prepare(cache: pathlib.Path, *, needs_hub: bool) -> None:
  """Sets what mteb and Hugging Face's libraries read on import; imports mteb.

  Without a network they would retry for half a minute a task.
  """
  os.environ.setdefault('MTEB_CACHE', str(cache))
  if not needs_hub or not _hub_answers():
    os.environ['HF_HUB_OFFLINE'] = '1'
  try:
    import mteb  # noqa: F401
  except ModuleNotFoundError as error:
    raise ValueError(
      f'Evaluating on MTEB needs {error.name}, which is not installed: pip '
      "install -e '.[mteb]'."
    ) from error


def _hub_answers() -> bool:
  if os.environ.get('HF_HUB_OFFLINE'):
    return False
  address = os.environ.get('HF_ENDPOINT', _HUB)
  try:
    urllib.request.urlopen(
      urllib.request.Request(address, method='HEAD'), timeout=10
    ).close()
  except urllib.error.HTTPError:
    return True  # it refused, but it is there
  except OSError:
    print(f'{address} does not answer: only data sets in its cache are used.')
    return False
  return True
