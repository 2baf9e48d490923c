"""Whether a text says enough for two people to label alike. English words; a text in another language passes.

Lists of words decide, no model: the same text gets the same answer everywhere, and why is plain.
"""

import re
from collections.abc import Sequence
from typing import Final, Literal

_WORD: Final = re.compile(r"[^\W\d_]+(?:['\N{RIGHT SINGLE QUOTATION MARK}][^\W\d_]+)?|\d+")


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


JUDGING: Final = _set("""
    acceptable accurate adequate appropriate bad best better clear complete concise correct decent detailed effective
    excellent faithful fine friendly good great harmful helpful high inaccurate inadequate inappropriate incomplete
    incorrect irrelevant low mediocre nice ok okay perfect polite poor professional proper quality relevant reasonable
    right safe satisfactory satisfying sensible sound sufficient suitable terrible unacceptable unclear unhelpful
    unsafe unsatisfactory unsuitable useful useless valid worse worst wrong
    accurately adequately appropriately badly clearly completely correctly effectively helpfully incorrectly nicely
    perfectly poorly properly reasonably sufficiently well wrongly
    correctness accuracy helpfulness relevance usefulness completeness clarity appropriateness
""")
"""Words that judge without saying by what: "good" is what the codebook has to explain."""
_FILLING: Final = _set("""
    a an the this that these those it its they them there here he she we you i our your their his her one ones
    is are was were be been being am do does did done has have had having can could may might must shall should will
    would get gets got give gives given make makes made seem seems feel feels look looks sound sounds
    and or but nor so if when where while as than then too also of in on at to for from by with within without about
    into over under out up off not no nor none never neither any all each every some most many much more less least very
    really quite fairly rather enough only just simply overall generally mostly somewhat extremely totally
    what which who whom whose how why
    answer answers answered reply replies response responses output outputs result assistant bot model ai agent text
    question questions request query user users customer customers person people annotator reviewer
    label case cases thing things way kind type level sense something anything everything way
    like likes liked want wants wanted expect expects expected consider considered judge judged think thinks
    contain contains containing include includes including information content contents provided provides
    meet meets standard standards expectation expectations use applies apply choose mark select
""")
"""Words that a definition needs and that alone define nothing."""
_CONDITIONS: Final = _set("every each only unless except if because least without than until before after")
"""Words that bind a criterion: they count as a part of one where there are others."""
_STOPS: Final = _set("a an the of in on at to for from by with and or is are was be it its this that")
_NEGATIONS: Final = _set("not no non never without isn't doesn't didn't wasn't none nothing un in")
_OPPOSED: Final = frozenset({"only", "partly", "partially", "nearly", "almost", "half"}) | _NEGATIONS
_TEAMS: Final = _set("""
    team teams everyone everybody anyone anybody all we us group committee department board squad staff crew nobody
    somebody someone people various tbd unknown
""")
_ROLES: Final = _set("head lead leader manager director chief owner editor officer chair president vp coordinator")
_AUXILIARY: Final = "is|are|was|were|does|do|did|has|have|had|can|could|would|should|may|must|will"

FEWEST_WORDS: Final = 5
"""A definition of fewer words leaves the criterion to the reader."""
CRITERION_WORDS: Final = 3
"""A definition with a judging word needs as many words that say by what it judges."""


def words(text: str) -> list[str]:
    """The words of a text or a name in small letters: letters, digits, with an apostrophe inside."""
    return _WORD.findall(text.casefold().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))


def says_nothing(definition: str, named: Sequence[str]) -> Literal["repeats", "vague", "short"] | None:
    """What keeps a definition from defining; None where it names a criterion.

    It only `repeats` what the label is called (`named`: its name, its button), judges by a `vague` word alone, or is
    too `short`.
    """
    given = words(definition)
    own = {_stem(word) for name in named for word in words(name)}
    left = [word for word in given if word not in _FILLING and word not in JUDGING and _stem(word) not in own]
    judging = [word for word in given if word in JUDGING]
    if not left:
        repeated = any(_stem(word) in own for word in given)
        return "repeats" if repeated and all(_stem(word) in own for word in judging) else "vague"
    if judging and len({*left, *_CONDITIONS.intersection(given)}) < CRITERION_WORDS:
        return "vague"
    return "short" if len(given) < FEWEST_WORDS else None


def overlapping(one: str, other: str) -> bool:
    """Whether two names or buttons say the same, or one of them all that the other says.

    A word that turns the other around ("not", "partly") tells them apart.
    """
    given, others = set(words(one)), set(words(other))
    if not given ^ others and not given:
        return one.strip() == other.strip()
    if (given ^ others) & _OPPOSED or _numbered_apart(given - others, others - given):
        return False
    first, second = _core(one), _core(other)
    return bool(first and second) and (first <= second or second <= first)


def _numbered_apart(one: set[str], other: set[str]) -> bool:
    """Whether only a letter or a number tells them apart, as in "A is better" and "B is better"."""
    return bool(one and other) and all(len(word) == 1 or word.isdigit() for word in one | other)


def reads_alike(one: str, other: str) -> bool:
    """Whether two buttons read the same but for case, number and small words."""
    return bool(_core(one)) and _core(one) == _core(other) and overlapping(one, other)


def asks_two(question: str) -> bool:
    """Whether a question asks two things: two question marks, two verbs joined, or two judgements joined."""
    text = re.sub(r"\([^)]*\)", "", question.casefold())
    if text.count("?") > 1:
        return True
    if re.match(rf"\s*(?:{_AUXILIARY})\b.*\b(?:and|or) (?:{_AUXILIARY})\b", text):
        return True
    if re.search(rf"\band (?:{_AUXILIARY}) (?:it|its|they|the|that|this|he|she|there|you)\b", text):
        return True
    return any(
        first in JUDGING and second in JUDGING and not _opposites(first, second)
        for first, second in re.findall(r"\b(\w+) (?:and|or) (\w+)\b", text)
    )


def is_team(owner: str) -> bool:
    """Whether an owner is several people. A role ("Head of support") is one person."""
    said = words(owner)
    if set(said) & _ROLES:
        return False
    return bool(set(said) & _TEAMS) or bool(re.search(r"\b(?:and|or)\b|[&/;+]", owner.casefold()))


def _opposites(one: str, other: str) -> bool:
    """Whether they are two ends of one scale, as in "right or wrong", "good or bad", "correct or incorrect"."""
    pair = {one, other}
    ends = ({"right", "wrong"}, {"good", "bad"}, {"better", "worse"}, {"best", "worst"}, {"high", "low"})
    return any(pair == end for end in ends) or one.endswith(other) or other.endswith(one)


def _core(text: str) -> frozenset[str]:
    return frozenset(_stem(word) for word in words(text) if word not in _STOPS | _OPPOSED)


def _stem(word: str) -> str:
    """A word without the ending of the plural: enough to hold "claim" and "claims" for one."""
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word  # noqa: PLR2004
