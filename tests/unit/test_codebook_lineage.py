"""Since when a question means what it means."""

from builders import NOW, codebook
from goldloop.codebook.lineage import CodebookVersion, Lineage, first, number, successor

ASKED = codebook()


def version(text: str, since: dict[str, str], *, published: bool = True) -> CodebookVersion:
    asked = ASKED.model_copy(update={"version": text})
    return CodebookVersion(codebook=asked, since=since, published_at=NOW if published else None)


ONE = version("1.0.0", {"verdict": "1.0.0", "note": "1.0.0"})
ADDED = version("1.1.0", {"verdict": "1.0.0", "note": "1.0.0", "extra": "1.1.0"})
BROKEN = version("2.0.0", {"verdict": "1.0.0", "note": "2.0.0", "extra": "1.1.0"})
GONE = version("3.0.0", {"verdict": "1.0.0", "extra": "1.1.0"})
CHAIN = Lineage.of([BROKEN, GONE, ADDED, ONE])


def test_versions_are_in_the_order_of_their_numbers() -> None:
    assert number("1.10.0") > number("1.9.0")
    assert [one.codebook.version for one in CHAIN.versions] == ["1.0.0", "1.1.0", "2.0.0", "3.0.0"]


def test_the_questions_of_a_first_version_date_from_it() -> None:
    assert first(ASKED) == {question.name: "1.0.0" for question in ASKED.questions}


def test_what_did_not_break_keeps_its_date() -> None:
    new = ASKED.model_copy(update={"version": "2.0.0"})
    old = version("1.0.0", {"verdict": "0.9.0", "error_type": "1.0.0", "correction": "1.0.0"})
    since = successor(old, new, ["error_type"])
    assert since["verdict"] == "0.9.0"
    assert since["error_type"] == "2.0.0", "broken"
    assert since["correction"] == "1.0.0"
    assert since["note"] == "2.0.0", "new"


def test_what_went_and_came_back_is_another_question() -> None:
    again = ASKED.model_copy(update={"version": "4.0.0"})
    assert successor(GONE, again, [])["note"] == "4.0.0"


def test_the_newest_is_the_newest_published_one() -> None:
    waiting = version("9.0.0", {"verdict": "9.0.0"}, published=False)
    assert Lineage.of([ONE, waiting]).newest == ONE
    assert Lineage.of([waiting]).newest == waiting
    assert Lineage.of([waiting]).published is None


def test_a_family_is_what_only_added() -> None:
    def family(text: str) -> list[str]:
        return [one.codebook.version for one in CHAIN.family(text)]

    assert family("1.0.0") == family("1.1.0") == ["1.0.0", "1.1.0"]
    assert family("2.0.0") == ["2.0.0"]
    assert family("3.0.0") == ["3.0.0"]
