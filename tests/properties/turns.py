"""Turns of events that must not be left to chance: each is a rule of the machine with what it is given."""

from typing import Any

Turn = tuple[str, dict[str, Any]]

# Where it matters in which project a trace lands, which is drawn, a turn comes several times.
TURNS: dict[str, list[Turn]] = {
    "an id is given again": [
        ("give_an_id_again", {"said": "pass", "instead": "fail", "by": by, "answered": answered})
        for by in ("goldloop", "goldloop, killed", "hand")
        for answered in (False, True, False, False)
    ],
    "enqueue breaks off": [
        ("enqueue_breaks_off", {"kind": kind, "calls": 0, "only": only, "after": after})
        for kind, only, after in [
            ("kill", "import_tasks", True),
            ("fault", "import_tasks", True),
            ("kill", "import_tasks", False),
            ("kill", "save_tasks", False),
        ]
    ],
    "tasks that nobody noted are answered, and passed by": [
        ("enqueue_breaks_off", {"kind": "kill", "calls": 0, "only": "import_tasks", "after": True}),
        ("agree", {"pick": 6, "said": "fail"}),
        ("agree", {"pick": 7, "said": "fail"}),
        ("verb", {"verb": "gather"}),
        ("wait", {"minutes": 5}),
        ("a_hook_calls", {"pick": 0, "who": "ada@example.org", "said": "pass"}),
    ],
    "pull breaks off": [
        ("pull_breaks_off", {"kind": "fault", "pages": pages, "minutes": 90, "only": only, "after": False})
        for pages in (0, 1, 2)
        for only in ("candidates", "signals")
    ],
    "traces show late": [
        ("show_late", {"minutes": 55, "read_first": True}),
        ("show_late", {"minutes": 20, "read_first": False}),
    ],
    "traces are sent again": [
        ("send_again", {"pick": 0, "minutes": 55, "other": "refunds"}),
        ("send_again", {"pick": 1, "minutes": 0, "other": "delivery"}),
        ("click", {"pick": 0, "minutes": 55, "value": 0.0}),
    ],
    "gather breaks off": [
        ("struck_at_an_edge", {"only": only, "calls": calls, "said": said, "apart": 3, "after": False})
        for only, calls, said in [
            ("changed_tasks", 1, "fail"),
            ("changed_tasks", 2, "pass"),
            ("save_annotations", 0, "fail"),
            ("save_annotations", 1, "pass"),
        ]
    ],
    "commits out of order": [
        ("commit_out_of_order", {"first": 0, "said": "fail"}),
        ("wait", {"minutes": 5}),
        ("commit_out_of_order", {"first": 2, "said": "pass"}),
    ],
    "a worker's clock that is ahead": [
        ("gather_by_a_clock_ahead", {"pick": 0, "said": "fail"}),
        ("gather_by_a_clock_ahead", {"pick": 3, "said": "pass"}),
    ],
    "what is unfit goes": [
        ("answer_unfitly", {"pick": pick, "goes": goes})
        for pick, goes in enumerate(["annotation", "mended", "task", "project"])
    ],
    "skipped and back": [
        ("skip_and_come_back", {"pick": 0, "said": "fail"}),
        ("skip_and_come_back", {"pick": 1, "said": "pass"}),
    ],
    "one person, two annotations": [
        (
            "contradict_oneself",
            {"pick": pick, "who": "ada@example.org", "first": first, "second": second, "other": other},
        )
        for pick, (first, second, other) in enumerate(
            [("pass", "fail", "fail"), ("fail", "fail", "pass"), ("pass", "pass", None), ("fail", "fail", "unfit")]
        )
    ],
    "taken back": [
        ("take_back", {"pick": pick, "said": "fail major", "change": change, "pause": pause})
        for pick, (change, pause) in enumerate(
            [("severity", 0), ("other", 20), ("person", 0), ("again", 20), ("deleted", 0), ("skipped", 0)]
        )
    ],
    "Langfuse forgets": [
        (
            "langfuse_forgets",
            {"pick": pick, "said": "fail", "change": change, "times": 3, "minutes": minutes, "shown": shown},
        )
        for pick, (change, minutes, shown) in enumerate(
            [("again", 0, False), ("person", 0, True), ("severity", 1, True), ("other", 20, True), ("again", 1, True)]
        )
    ],
    "publish breaks off": [
        ("publish_breaks_off", {"pick": pick, "said": "fail", "kind": kind, "calls": 0, "only": only, "after": after})
        for pick, (kind, only, after) in enumerate(
            [("kill", "send", False), ("kill", "send", True), ("fault", "read", False), ("kill", "put", True)]
        )
    ],
    "a request is held up": [
        ("a_request_is_held_up", {"pick": pick, "said": "fail", "minutes": minutes, "change": change})
        for pick, (minutes, change) in enumerate([(10, "deleted"), (30, "other"), (1, "skipped"), (30, "deleted")])
    ],
    "Langfuse minds": [
        ("langfuse_minds", {"pick": 0, "said": "fail", "dropping": False}),
        ("langfuse_minds", {"pick": 1, "said": "fail", "dropping": True}),
        ("langfuse_minds_no_more", {}),
        ("retry", {"pick": 0, "every": True}),
    ],
    "tasks and projects go": [
        ("agree", {"pick": 0, "said": "fail"}),
        ("a_hook_calls", {"pick": 1, "who": "ben@example.org", "said": "fail"}),
        ("delete_task", {"pick": 0, "last": False}),
        ("import_a_task_by_hand", {"pick": 0, "said": "fail"}),
        ("verb", {"verb": "run"}),
        ("bulk_delete", {"pick": 1, "rare": 0}),
        ("delete_project", {"pick": 0, "rare": 0, "again": True}),
    ],
    "people edit": [
        ("agree", {"pick": 0, "said": "fail"}),
        ("agree", {"pick": 1, "said": "pass"}),
        ("verb", {"verb": "run"}),
        ("edit", {"pick": 0, "said": "pass", "late": 90}),
        ("edit_by", {"pick": 1, "said": "fail critical", "who": "cleo@example.org"}),
        ("reassign", {"pick": 3, "who": "ben@example.org"}),
        ("ground_truth", {"pick": 4}),
        ("skip_or_unskip", {"pick": 5}),
        ("move", {"pick": 2, "to": 0}),
        ("delete_annotation", {"pick": 0}),
        ("submit_again", {"pick": 1, "late": 90}),
    ],
    "servers are tampered with": [
        ("agree", {"pick": 0, "said": "fail"}),
        ("agree", {"pick": 1, "said": "fail"}),
        ("verb", {"verb": "run"}),
        ("a_score_is_tampered_with", {"pick": 0, "other": "pass", "how": "lost"}),
        ("a_score_is_tampered_with", {"pick": 4, "other": "pass", "how": "written"}),
        ("an_eval_row_is_lost", {"pick": 0, "in_file": True}),
        ("an_eval_row_is_lost", {"pick": 1, "in_file": False}),
        ("label_studio_goes_back", {"pick": 0, "said": "pass"}),
        ("rehearse", {}),
        ("reconcile", {}),
    ],
}
