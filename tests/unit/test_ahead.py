"""One made while the one before is dealt with."""

import threading
from collections.abc import Iterator

import pytest

from goldloop.ahead import ahead


def test_all_come_in_order() -> None:
    assert list(ahead(iter(range(5)))) == [0, 1, 2, 3, 4]
    assert list(ahead(iter(()))) == []


def test_the_next_one_is_made_meanwhile_and_none_after_it() -> None:
    made: list[int] = []
    second = threading.Event()

    def numbers() -> Iterator[int]:
        for number in range(4):
            made.append(number)
            if number == 1:
                second.set()
            yield number

    coming = ahead(numbers())
    assert next(coming) == 0
    assert second.wait(10)
    assert next(coming) == 1  # the third is made from now on, and the fourth is not
    coming.close()
    assert len(made) <= 3


def test_an_error_comes_in_its_place() -> None:
    def numbers() -> Iterator[int]:
        yield 1
        raise ValueError("the second")

    coming = ahead(numbers())
    assert next(coming) == 1
    with pytest.raises(ValueError, match="the second"):
        next(coming)
