"""Eight simulated devices and strict numerics for every test."""

import os
import pathlib

# Read when JAX first looks for devices. The last two only save compile time (a
# train step: 2 s instead of 10 s), which is most of the suite's time.
os.environ['XLA_FLAGS'] = ' '.join(
  (
    os.environ.get('XLA_FLAGS', ''),
    '--xla_force_host_platform_device_count=8',
    '--xla_backend_optimization_level=0',
    '--xla_cpu_use_fusion_emitters=false',
  )
)
os.environ.setdefault('JAX_PLATFORMS', 'cpu')

import jax

_CACHE = pathlib.Path(__file__).parents[1] / '.cache' / 'jax'

jax.config.update('jax_numpy_rank_promotion', 'raise')
jax.config.update('jax_default_matmul_precision', 'highest')
jax.config.update('jax_compilation_cache_dir', str(_CACHE))
jax.config.update('jax_persistent_cache_min_compile_time_secs', 0)
jax.config.update('jax_persistent_cache_min_entry_size_bytes', -1)
