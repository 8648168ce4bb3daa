"""How a cache is made: a job on disk, shards by any process, one merge.

`jobs` says what is to be done, `mined` reads mined hard negatives, `shards`
makes one shard, `workers` many in several processes, `beam` on many machines,
and `merging` completes the cache.
"""
