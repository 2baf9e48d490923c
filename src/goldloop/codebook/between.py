"""What can be wrong between the codebooks of a folder, each sound by itself."""

from collections.abc import Iterator, Mapping, Sequence

from goldloop.codebook.check import Finding
from goldloop.codebook.schema import Codebook

Place = tuple[int | str, ...]


def check_together(codebooks: Sequence[Codebook]) -> list[list[Finding]]:
    """For each codebook, in order: whether one before it has its name, or else which Langfuse scores it fills too."""
    filled: dict[str, str] = {}
    names: set[str] = set()
    found: list[list[Finding]] = []
    for codebook in codebooks:
        found.append([_same_name(codebook)] if codebook.name in names else list(_shared(codebook, filled)))
        names.add(codebook.name)
        for _, score, _ in _scores(codebook):
            filled.setdefault(score, codebook.name)
    return found


def _same_name(codebook: Codebook) -> Finding:
    said = f"another file here is also named {codebook.name}: rename one of them, or keep the older one elsewhere"
    return Finding(place=("name",), rule="same-name", sentence=said)


def _shared(codebook: Codebook, filled: Mapping[str, str]) -> Iterator[Finding]:
    told: set[Place] = set()
    for place, score, whose in _scores(codebook):
        if score in filled and place not in told:
            told.add(place)
            other = "another name, or a `score` of its own" if place[0] == "questions" else "another one"
            said = f"{whose} goes to the Langfuse score {score}, as one of {filled[score]} does: give it {other}"
            yield Finding(place=place, rule="shared-score", sentence=said)


def _scores(codebook: Codebook) -> Iterator[tuple[Place, str, str]]:
    """Where in the file it is settled, the score's name, and what goes to it."""
    for number, question in enumerate(codebook.questions):
        place: Place = ("questions", number, "name")
        if not question.in_words:
            yield place, question.score_name, f"the answer to {question.name}"
        if question is codebook.verdict:
            chosen = codebook.langfuse.annotation_score is not None
            single: Place = ("langfuse", "annotation_score") if chosen else place
            yield single, codebook.annotation_score, "each single annotation"
