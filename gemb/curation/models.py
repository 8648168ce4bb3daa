"""Opens the language model that a curation names."""

from gemb.curation.config import Curation, DecoderModel
from gemb.curation.language_model import LanguageModel


def open_model(curation: Curation) -> LanguageModel:
  """Returns the language model, ready to answer.

  Raises:
    FileNotFoundError: if its weights are not there.
    ValueError: if none is named, or it cannot be used, as where its client
      library is not installed.
  """
  config = curation.language_model
  if config is None:
    raise ValueError(
      'Curation.language_model is None; bind @config.DecoderModel() or '
      '@config.RemoteModel() to it, as configs/curation/small.gin does.'
    )
  if isinstance(config, DecoderModel):
    from gemb.curation.decoder import open_decoder

    return open_decoder(config)
  from gemb.curation.remote import open_remote

  return open_remote(config)
