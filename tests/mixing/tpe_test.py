from gemb.mixing.tpe import suggest

TRIED = [
  ({'a': a, 'b': 1_000 - a}, a / 1_000) for a in (100, 200, 300, 400, 900)
]


def test_the_same_trials_give_the_same_suggestion():
  first = suggest(TRIED, seed=3, number=0)
  assert sum(first.values()) == 1_000
  assert suggest(TRIED, seed=3, number=0) == first
  assert suggest(TRIED, seed=3, number=1) != first
  assert suggest(TRIED, seed=4, number=0) != first


def test_what_has_scored_high_is_suggested():
  suggested = [suggest(TRIED, seed=0, number=n)['a'] for n in range(20)]
  upside_down = [(mixture, -score) for mixture, score in TRIED]
  others = [suggest(upside_down, seed=0, number=n)['a'] for n in range(20)]
  assert sum(suggested) / 20 > 600
  assert sum(others) / 20 < 400


def test_one_trial_is_enough_to_begin():
  assert sum(suggest(TRIED[:1], seed=0, number=0).values()) == 1_000
