"""`goldloop codebook ...`: codebooks as source code - begun, checked, compared, and what is made of them."""

# ruff: noqa: PLC0415 - each command imports what it needs: pydantic and YAML take time that --help has not

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from goldloop.cli.options import AsJson, example
from goldloop.errors import CodebookError, ConfigError

if TYPE_CHECKING:
    from goldloop.codebook.load import Source
    from goldloop.codebook.schema import Codebook

codebook_app = typer.Typer(no_args_is_help=True, help="The codebooks: what is asked of a trace.")

_FILE = "A codebook file."


class Artifact(StrEnum):
    """What is made of a codebook."""

    LABEL_CONFIG = "label-config"
    BLIND_LABEL_CONFIG = "blind-label-config"
    SCORE_CONFIGS = "score-configs"
    PROMPT = "prompt"
    ANSWER_SCHEMA = "answer-schema"


@codebook_app.command("new", epilog=example("goldloop codebook new refund-answers --owner 'Head of support'"))
def new(
    name: Annotated[str, typer.Argument(help="The queue's name: small letters, digits and -.", show_default=False)],
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Where to write it; GOLDLOOP_CODEBOOKS without it.")
    ] = None,
    like: Annotated[Path | None, typer.Option("--like", help="Copy this codebook instead of the starter.")] = None,
    owner: Annotated[str | None, typer.Option("--owner", help="The one person who decides.")] = None,
    as_json: AsJson = False,
) -> None:
    """Begin a codebook: a file with notes in it to fill in. It never overwrites one."""
    from goldloop.cli.output import out, plain, print_json
    from goldloop.codebook import json_schema, starter
    from goldloop.codebook.load import text_of

    where = folder or _folder()
    path = where / f"{name}.yaml"
    text = starter.begin(text_of(like) if like else starter.starter(), name, owner)
    schema = where / json_schema.FILE
    try:
        where.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
        if not schema.exists():
            schema.write_text(json_schema.as_text(), encoding="utf-8")
    except FileExistsError:
        raise ConfigError(f"{path} is there already: take another name, or edit that file") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error.strerror}): check the rights on it") from None
    if as_json:
        print_json({"written": str(path), "schema": str(schema)})
        return
    out.print(f"[bold]{plain(str(path))}[/bold] is there, with notes on how to fill it in.", soft_wrap=True)
    todo = "edit it" if like else "replace each TODO in it"
    out.print(f"Next: {todo}, then goldloop codebook check {plain(str(path))}", soft_wrap=True)


@codebook_app.command("check", epilog=example("goldloop codebook check label_configs"))
def check(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH", help="Files or folders; GOLDLOOP_CODEBOOKS without any."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find what would make annotators label differently. Exit 1 with findings, 2 where a file can't be read."""
    from goldloop.cli import codebook_look as look
    from goldloop.cli.output import print_json
    from goldloop.codebook.between import check_together
    from goldloop.codebook.check import check as examine
    from goldloop.codebook.load import files, read

    wanted = paths or [_folder()]
    sources: dict[str, Source] = {}
    unread: dict[str, list[look.Shown]] = {}
    for path in dict.fromkeys(file for place in wanted for file in (files(place) if place.is_dir() else [place])):
        try:
            sources[str(path)] = read(path)
        except CodebookError as error:
            unread[str(path)] = look.complaints(str(error), str(path))
    shared = check_together([source.codebook for source in sources.values()])
    found = {
        path: [
            look.Shown(source.line_of(finding.place), finding.rule, finding.sentence)
            for finding in [*examine(source.codebook), *between]
        ]
        for (path, source), between in zip(sources.items(), shared, strict=True)
    }
    if not found and not unread:
        named = ", ".join(map(str, wanted))
        raise ConfigError(f"{named}: there is no codebook (*.yaml) here; set GOLDLOOP_CODEBOOKS to their folder")
    if as_json:
        print_json(look.check_json(found, unread))
    else:
        look.print_check(found, unread, " ".join(map(str, paths or [])))
    if unread:
        raise typer.Exit(2)
    if any(found.values()):
        raise typer.Exit(1)


@codebook_app.command("diff", epilog=example("goldloop codebook diff before.yaml label_configs/answer-quality.yaml"))
def diff(
    old: Annotated[Path, typer.Argument(help="The file as it was.", show_default=False)],
    new: Annotated[Path, typer.Argument(help="The file as it is now.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Say what a change does to labels given before. Exit 2 where the version's number understates it."""
    from goldloop.cli import codebook_look as look
    from goldloop.cli.output import print_json
    from goldloop.codebook.diff import diff as compare
    from goldloop.codebook.load import load

    found = compare(load(old), load(new))
    if as_json:
        print_json(found.as_json())
    else:
        look.print_diff(found)
    if found.complaint:
        raise CodebookError(f"{new}: {found.complaint}")


@codebook_app.command("render", epilog=example("goldloop codebook render label_configs"))
def render(
    place: Annotated[
        Path | None,
        typer.Argument(
            metavar="PLACE",
            help="A folder of codebooks, or one file; GOLDLOOP_CODEBOOKS without it.",
            show_default=False,
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 where a file is stale or left behind.")
    ] = False,
    artifact: Annotated[
        Artifact | None,
        typer.Option(
            "--as",
            metavar="KIND",
            help="Print what is made of one codebook: label-config, blind-label-config, score-configs, prompt or "
            "answer-schema.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write each codebook's Label Studio label config beside it (*.xml), and the JSON schema that editors use."""
    where = place or _folder()
    if artifact and check:
        raise ConfigError("--as prints and --check compares files: take one of them")
    if artifact:
        _print_artifact(_one(where), artifact, as_json=as_json)
    else:
        _write_artifacts(where, check=check, as_json=as_json)


@codebook_app.command("guide", epilog=example("goldloop codebook guide label_configs/answer-quality.yaml"))
def guide(
    file: Annotated[
        Path | None, typer.Argument(help=f"{_FILE} Not needed where there is only one.", show_default=False)
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write a page to print or to hand out.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print what an annotator is handed on the first day, as Markdown."""
    from goldloop.cli.output import out, plain, print_json
    from goldloop.codebook import guide as guides

    codebook = _one(file or _folder())
    if html:
        _write(html, guides.as_html(codebook))
    if as_json:
        print_json(
            {"codebook": codebook.ref, **({"written": str(html)} if html else {"text": guides.as_markdown(codebook)})}
        )
    elif html:
        out.print(
            f"Written: {plain(str(html))}. Next: open it in a browser, and print it or hand it out.", soft_wrap=True
        )
    else:
        typer.echo(guides.as_markdown(codebook), nl=False)


def _write_artifacts(where: Path, *, check: bool, as_json: bool) -> None:
    from goldloop.cli.output import err, out, plain, print_json
    from goldloop.codebook import json_schema
    from goldloop.codebook.load import load_folder
    from goldloop.codebook.render import render

    folder = where if where.is_dir() else where.parent
    codebooks = [_one(where)] if where.is_file() else list(load_folder(where).values())
    made = {folder / f"{codebook.name}.xml": render(codebook) for codebook in codebooks}
    made[folder / json_schema.FILE] = json_schema.as_text()
    # One file alone does not tell which other codebooks there are.
    left = [] if where.is_file() else _left_behind(folder, {codebook.name for codebook in codebooks})
    stale = [path for path, text in made.items() if not path.exists() or path.read_text("utf-8") != text]
    for path in stale if not check else []:
        _write(path, made[path])
    if as_json:
        named = [str(path) for path in stale]
        behind = [str(path) for path in left]
        print_json({"label_configs": len(codebooks), "stale" if check else "written": named, "left_behind": behind})
    elif not check:
        for path in stale:
            out.print(f"Written: {plain(str(path))}", soft_wrap=True)
    if not as_json and not (check and (stale or left)):
        noun = "label config" if len(codebooks) == 1 else "label configs"
        out.print(f"{len(codebooks)} {noun} and the JSON schema, {len(stale)} {'stale' if check else 'written'}")
    if check and stale:
        named_all = ", ".join(map(str, stale))
        err.print(plain(f"stale: {named_all}; run `goldloop codebook render {where}`"), soft_wrap=True)
    if left and (check or not as_json):
        named_all = ", ".join(map(str, left))
        err.print(
            plain(f"left behind by a codebook that is gone or renamed: {named_all}; delete what is not needed"),
            soft_wrap=True,
        )
    if check and (stale or left):
        raise typer.Exit(1)


def _left_behind(folder: Path, names: set[str]) -> list[Path]:
    """The label configs that were generated from a codebook which is not there any more."""
    from goldloop.codebook.render import made_from

    paths = sorted(folder.glob("*.xml"))
    made = {path: made_from(path.read_text("utf-8", errors="replace")) for path in paths}
    return [path for path, name in made.items() if name is not None and name not in names]


def _print_artifact(codebook: "Codebook", artifact: Artifact, *, as_json: bool) -> None:
    from goldloop.cli.output import print_json

    made = _artifact(codebook, artifact)
    if as_json:
        print_json({"codebook": codebook.ref, "as": artifact.value, "content": made})
    else:
        text = made if isinstance(made, str) else json.dumps(made, indent=2, ensure_ascii=False) + "\n"
        typer.echo(text, nl=False)


def _artifact(codebook: "Codebook", artifact: Artifact) -> object:
    """The text, or what JSON can hold."""
    match artifact:
        case Artifact.LABEL_CONFIG | Artifact.BLIND_LABEL_CONFIG:
            from goldloop.codebook.render import render

            return render(codebook, blind=artifact is Artifact.BLIND_LABEL_CONFIG)
        case Artifact.SCORE_CONFIGS:
            from goldloop.codebook.score_configs import score_configs

            return [config.model_dump(mode="json") for config in score_configs(codebook)]
        case Artifact.PROMPT:
            from goldloop.codebook.prompt import judge_prompt

            return judge_prompt(codebook)
        case Artifact.ANSWER_SCHEMA:
            from goldloop.codebook.answer import answer_schema

            return answer_schema(codebook)


def _folder() -> Path:
    from goldloop import settings

    return settings.load().codebooks


def _one(path: Path) -> "Codebook":
    """The codebook of a file, or of a folder that holds only one."""
    from goldloop.codebook.load import files, load, load_folder

    if not path.is_dir():
        return load(path)
    found = load_folder(path)
    if len(found) > 1:
        named = ", ".join(file.name for file in files(path))
        raise ConfigError(f"{path} holds more than one codebook: name one of {named}")
    return next(iter(found.values()))


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error.strerror}): check the rights on it") from None
