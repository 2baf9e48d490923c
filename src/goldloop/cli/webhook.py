"""`goldloop webhook connect` and `disconnect`: Label Studio and the receiver of its webhooks."""

# ruff: noqa: PLC0415 - each command imports what it needs: numpy, SQLAlchemy and httpx take a second that --help has not

from typing import TYPE_CHECKING

import typer

from goldloop.cli.opened import opened, projects_of
from goldloop.cli.options import AsJson, Queue, example

if TYPE_CHECKING:
    from goldloop.bootstrap.webhooks import ToldProject

webhook_app = typer.Typer(no_args_is_help=True, help="Label Studio's webhooks, which wake the next poll early.")


@webhook_app.command("connect", epilog=example("goldloop webhook connect --queue answer-quality"))
def connect(queue: Queue = None, as_json: AsJson = False) -> None:
    """Have Label Studio tell the receiver when something changes in the queue's projects."""
    from goldloop.bootstrap.webhooks import WebhookReceiver

    with opened() as goldloop:
        receiver = WebhookReceiver.of(goldloop.settings.webhook)
        name, projects = projects_of(goldloop, queue)
        made = receiver.connect(goldloop.label_studio, projects) if projects else []
    _show(name, made, as_json, "submit something; the receiver's log says which run it asked for")


@webhook_app.command("disconnect", epilog=example("goldloop webhook disconnect --queue answer-quality"))
def disconnect(queue: Queue = None, as_json: AsJson = False) -> None:
    """Have Label Studio tell the receiver nothing more of the queue's projects; the schedule polls them as before."""
    from goldloop.bootstrap.webhooks import disconnect as disconnect_projects

    with opened() as goldloop:
        name, projects = projects_of(goldloop, queue)
        made = disconnect_projects(goldloop.label_studio, projects) if projects else []
    _show(name, made, as_json, "nothing: what changes is found by the next run of the schedule")


def _show(queue: str, made: list["ToldProject"], as_json: bool, then: str) -> None:
    from goldloop.cli.output import out, plain, print_json, table

    missing = [one for one in made if one.reason]
    if as_json:
        print_json({"queue": queue, "projects": [one.model_dump(mode="json") for one in made]})
    elif not made:
        out.print(f"{plain(queue)} has no project yet. Next: goldloop run")
    else:
        shown = table("project", "for", "changes are told")
        for one in made:
            shown.add_row(str(one.project_id), one.purpose, "yes" if one.told else "no")
        out.print(shown)
        for one in missing:
            out.print(f"Project {one.project_id}: {plain(one.reason)}", soft_wrap=True)
        out.print(f"Next: {'mend what is named, then again' if missing else then}")
    if missing:
        raise typer.Exit(1)
