import numpy as np

from gemb.curation import batching
from gemb.curation.batching import Request


def sums(calls):
  """Returns a function that notes calls, and answers with sums of a row."""

  def compute(call, factor):
    calls.append((call, factor))
    return factor * call.tokens.sum(axis=1) + call.numbers

  return compute


def shape(request):
  return (2 if len(request.tokens) <= 2 else 4), 10


def test_answers_come_in_the_order_of_the_requests():
  requests = [Request((1, 2), 5), Request((3, 4, 5)), Request((6,), 7)]
  got = batching.answer(requests, shape, lambda _: 8, sums([]))
  assert got == [35, 120, 67]


def test_calls_are_of_one_shape_each_and_always_have_as_many_rows():
  calls = []
  requests = [Request((1,)), Request((2,)), Request((3,)), Request((4, 5, 6))]
  batching.answer(requests, shape, lambda length: 4 // length, sums(calls))
  assert [call.tokens.tolist() for call, _ in calls] == [
    [[4, 5, 6, 0]],
    [[1, 0], [2, 0]],
    [[3, 0], [0, 0]],
  ]
  assert [call.used for call, _ in calls] == [1, 2, 1]
  assert [factor for _, factor in calls] == [10, 10, 10]


def test_equal_requests_are_computed_once():
  calls = []
  requests = [Request((1,), 2), Request((1,), 2), Request((1,), 3)]
  got = batching.answer(requests, shape, lambda _: 3, sums(calls))
  assert got == [12, 12, 13]
  ((call, _),) = calls
  np.testing.assert_array_equal(call.numbers, [2, 3, 1])


def test_rows_share_what_all_begin_with():
  rows = [(2, 5, 6, 9), (2, 5, 7), (2, 5, 6, 1)]
  assert batching.shared_beginning(rows) == (2, 5)
  assert batching.shared_beginning([(2,), (2, 5)]) == ()
  assert batching.shared_beginning([(2, 5, 6)]) == (2, 5)
  assert batching.shared_beginning([]) == ()
