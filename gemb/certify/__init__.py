"""A certificate that a run's gradients are right, however it is spread out.

The run's own loss, on 1 to 8 simulated devices, is compared with a plain model
and a plain loss on one, which know of no tiles, microbatches or meshes.
"""

# What `faults` can break, so that anyone may see that it is noticed.
FAULTS = {
  'shifted_labels': "each query's positive is taken to be one shard further on",
  'detached_remote': "no gradient comes back from other devices' columns",
  'scaled_gradient': 'gradients are divided by the number of devices',
  'dropped_microbatch': 'the gradient of the last microbatch is lost',
  'one_sided_mask': 'positives that occur twice are not masked, queries are',
}
