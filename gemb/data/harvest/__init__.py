"""Reading pairs out of pinned files, in plain Python and without TensorFlow.

`pairs` has what all share: the rows, deduplication and negatives. The other
modules read one kind of file each, and `gemb.data.corpora` writes what they
find.
"""
