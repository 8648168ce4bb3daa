"""Which language model a curation opens."""

import pytest

from gemb.curation import decoder, models, remote
from gemb.curation.config import Curation, DecoderModel, RemoteModel
from gemb.model.config import EmbedderConfig, EncoderConfig

DECODER = DecoderModel(
  model=EmbedderConfig(
    encoder=EncoderConfig(
      vocabulary=8,
      width=4,
      layers=1,
      heads=1,
      kv_heads=1,
      head_dim=4,
      mlp_width=4,
      local_radius=2,
    ),
    embedding_width=4,
  )
)
REMOTE = RemoteModel(service='openai', model='any', url='http://localhost')


def curation(language_model):
  return Curation(tasks=('colours',), language_model=language_model)


@pytest.mark.parametrize(
  ('config', 'module', 'opener'),
  [(DECODER, decoder, 'open_decoder'), (REMOTE, remote, 'open_remote')],
)
def test_each_kind_is_opened_by_its_own_module(
  config, module, opener, monkeypatch, fake_model
):
  model, given = fake_model({}, {}, {}), []
  monkeypatch.setattr(module, opener, lambda of: given.append(of) or model)
  assert models.open_model(curation(config)) is model
  assert given == [config]


def test_none_is_refused_with_what_to_bind():
  with pytest.raises(ValueError, match=r'language_model is None; bind @config'):
    models.open_model(curation(None))
