from ml_backend.kept import Kept


def test_the_one_not_asked_for_the_longest_goes_first() -> None:
    kept: Kept[str, int] = Kept(2)
    kept.put("a", 1)
    kept.put("b", 2)
    assert kept.get("a") == 1
    kept.put("c", 3)
    assert (kept.get("a"), kept.get("b"), kept.get("c")) == (1, None, 3)
    assert len(kept) == 2


def test_it_is_made_once() -> None:
    kept: Kept[str, list[int]] = Kept(2)
    first = kept.get_or_make("a", lambda: [1])
    assert kept.get_or_make("a", lambda: [2]) is first
