"""`goldloop backend connect`: Label Studio and the ML backend."""

# ruff: noqa: PLC0415 - each command imports what it needs: numpy, SQLAlchemy and httpx take a second that --help has not

import typer

from goldloop.cli.opened import opened, projects_of
from goldloop.cli.options import AsJson, Queue, example

backend_app = typer.Typer(no_args_is_help=True, help="The ML backend, which shows prelabels in Label Studio.")


@backend_app.command("connect", epilog=example("goldloop backend connect --queue answer-quality"))
def connect(queue: Queue = None, as_json: AsJson = False) -> None:
    """Have Label Studio ask the ML backend for predictions in the queue's projects, and tell it of annotations."""
    from goldloop.bootstrap.backends import MlBackend
    from goldloop.cli.output import out, plain, print_json, table

    with opened() as goldloop:
        backend = MlBackend.of(goldloop.settings.ml_backend)
        name, projects = projects_of(goldloop, queue)
        made = backend.connect(goldloop.label_studio, projects) if projects else []
    missing = [one for one in made if one.reason]
    if as_json:
        print_json({"queue": name, "projects": [one.model_dump(mode="json") for one in made]})
    elif not made:
        out.print(f"{plain(name)} has no project yet. Next: goldloop run")
    else:
        shown = table("project", "for", "predictions", "annotations start a fit")
        for one in made:
            served = "yes" if one.served else "never" if one.purpose == "blind" else "no"
            shown.add_row(str(one.project_id), one.purpose, served, "yes" if one.heard else "no")
        out.print(shown)
        for one in missing:
            out.print(f"Project {one.project_id}: {plain(one.reason)}", soft_wrap=True)
        if backend.webhook_secret is None:
            out.print("GOLDLOOP_ML_BACKEND__WEBHOOK_SECRET is not set, so annotations start no fit.")
        done = "open a task in Label Studio" if not missing else "mend what is named, then goldloop backend connect"
        out.print(f"Next: {done}")
    if missing:
        raise typer.Exit(1)
