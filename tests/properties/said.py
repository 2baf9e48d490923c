"""What annotators said, read by hand: nothing here is goldloop's own reading of it."""

from collections import Counter
from collections.abc import Iterable
from itertools import product

from fakes.task_queue import Result
from goldloop.records import AnnotationSnapshot


def labels(result: Result, question: str) -> list[object]:
    """What the result says to the question, each time that it says something."""
    parts = (part["value"] for part in result if part["from_name"] == question)
    return [label for value in parts if isinstance(value, dict) for label in list(value["choices"])]  # type: ignore[arg-type] # JSON that the test wrote


def only_label(result: Result, question: str) -> str | None:
    given = labels(result, question)
    return str(given[0]) if len(given) == 1 else None


def fits(one: AnnotationSnapshot) -> bool:
    return one.skipped or only_label(list(one.result), "verdict") in {"pass", "fail"}


def verdict_of(one: AnnotationSnapshot) -> str | None:
    return None if one.skipped else only_label(list(one.result), "verdict")


def decided(verdicts: list[str | None], wanted: int) -> str | None:
    """The verdict that no outstanding voice could change, by trying all that they could say."""
    winners = set()
    for more in product(["pass", "fail"], repeat=max(0, wanted - len(verdicts))):
        votes = Counter([*verdicts, *more])
        passed, failed = votes["pass"], votes["fail"]
        winners.add("pass" if passed > failed else "fail" if failed > passed else None)
    return winners.pop() if len(winners) == 1 and any(verdicts) else None


def most_named(given: Iterable[str | None]) -> str | None:
    """None where nothing was named, or two things as often."""
    ranked = Counter(label for label in given if label).most_common(2)
    return ranked[0][0] if ranked and (len(ranked) == 1 or ranked[0][1] > ranked[1][1]) else None
