import pytest

from gemb.tracking.config import MlflowConfig, TrackingConfig


def test_nothing_follows_a_run_by_default():
  assert TrackingConfig() == TrackingConfig(wandb=None, mlflow=None)


def test_an_address_that_holds_a_password_is_refused_without_repeating_it():
  with pytest.raises(ValueError, match='MLFLOW_TRACKING_PASSWORD') as caught:
    MlflowConfig(uri='https://me:secret@tracking.example/')
  assert 'secret' not in str(caught.value)
  for uri in ('https://tracking.example/a@b', 'file:/runs/me@here', None):
    assert MlflowConfig(uri=uri).uri == uri
