"""Which label an answer is."""

import string
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from jaxtyping import Float

_AROUND = string.punctuation + string.whitespace


def first_word(
  positions: Iterable[Mapping[str, float]],
) -> dict[str, float] | None:
  """Returns the alternatives of an answer's first token that is a word.

  Args:
    positions: {token: log-probability} of each place of the answer; its first
      is the token that was answered.
  """
  for alternatives in positions:
    if _plain(next(iter(alternatives))):
      return dict(alternatives)
  return None


def from_alternatives(
  alternatives: Mapping[str, float], labels: Sequence[str]
) -> Float[np.ndarray, 'l'] | None:
  """Returns the log-probability of each label, normalised over them.

  A token stands for the label that it is, or for the only one that it begins;
  -inf where none does. None if none stands for any.
  """
  found = np.full(len(labels), -np.inf)
  for token, logprob in alternatives.items():
    label = _find_begun(token, labels)
    if label is not None:
      found[label] = np.logaddexp(found[label], logprob)
  whole = np.logaddexp.reduce(found)
  return found - whole if np.isfinite(whole) else None


def from_text(text: str, labels: Sequence[str]) -> Float[np.ndarray, 'l']:
  """Returns 0 for the label that the text is, or begins with, else -inf.

  NaN if there is none: case and punctuation around it do not matter, but '21'
  does not begin with '2'.
  """
  answer = _plain(text)
  begun = [
    (len(plain), number)
    for number, plain in enumerate(map(_plain, labels))
    if answer.startswith(plain) and not answer[len(plain) :][:1].isalnum()
  ]
  if not begun:
    return np.full(len(labels), np.nan)
  found = np.full(len(labels), -np.inf)
  found[max(begun)[1]] = 0.0
  return found


def _find_begun(token: str, labels: Sequence[str]) -> int | None:
  token, plain = _plain(token), [_plain(label) for label in labels]
  if token in plain:
    return plain.index(token)
  begun = [
    n for n, label in enumerate(plain) if token and label.startswith(token)
  ]
  return begun[0] if len(begun) == 1 else None


def _plain(text: str) -> str:
  return text.strip(_AROUND).casefold()
