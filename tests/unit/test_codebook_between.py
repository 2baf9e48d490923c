from builders import codebook
from goldloop.codebook.between import check_together
from goldloop.codebook.load import source
from goldloop.codebook.schema import Codebook, LangfuseMapping
from goldloop.codebook.starter import begin, starter


def begun(name: str) -> Codebook:
    return source(begin(starter(), name), name).codebook


def test_a_score_that_two_queues_fill_is_found_at_the_second() -> None:
    one = codebook()
    other = one.model_copy(update={"name": "other"})
    first, second = check_together([one, other])
    assert first == []
    assert [(finding.place, finding.rule) for finding in second] == [
        (("questions", number, "name"), "shared-score")
        for number, question in enumerate(one.questions)
        if question.kind not in {"text", "correction"}
    ]
    assert "human_verdict" in second[0].sentence
    assert "answer-quality" in second[0].sentence


def test_the_score_of_single_annotations_can_be_shared_too() -> None:
    one = begun("one-queue")
    other = begun("other-queue").model_copy(update={"langfuse": LangfuseMapping(annotation_score=one.annotation_score)})
    first, (found,) = check_together([one, other])
    assert (first, found.place) == ([], ("langfuse", "annotation_score"))
    assert found.sentence == (
        "each single annotation goes to the Langfuse score annotation_one_queue, as one of one-queue does: give it "
        "another one"
    )


def test_notes_and_corrections_are_no_scores() -> None:
    one = codebook()
    note = one.question("note")
    verdict = one.verdict.model_copy(update={"name": "note"})
    assert note is not None
    assert note.score_name == verdict.score_name
    other = one.model_copy(update={"name": "other", "questions": (verdict,)})
    assert check_together([one, other]) == [[], []]


def test_two_files_of_one_name_are_told_once() -> None:
    first, (found,) = check_together([codebook(), codebook(budget=81)])
    assert (first, found.place, found.rule) == ([], ("name",), "same-name")


def test_two_begun_codebooks_share_no_score() -> None:
    refunds, long = begun("refund-answers"), begun("a" * 60)
    assert check_together([codebook(), refunds, long]) == [[], [], []]
    assert refunds.verdict.score_name == "human_refund_answers"
    assert refunds.annotation_score == "annotation_refund_answers"
