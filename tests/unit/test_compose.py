"""The stack for a team is right as far as that can be told without a container engine."""

import importlib.resources
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it ships no types
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
STACK: dict[str, Any] = yaml.safe_load(COMPOSE)
SERVICES: dict[str, dict[str, Any]] = STACK["services"]
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
DOCKERFILES = [ROOT / "docker" / "goldloop.Dockerfile", ROOT / "ml_backend" / "Dockerfile"]

ONE_SHOT = {"minio-init", "prefect-deploy"}
PUBLISHED = {"langfuse-web": "3000", "label-studio": "8000", "prefect-server": "4200"}

# `${NAME}`, `${NAME:-default}` and `${NAME:?message}`; `$$` is compose's escape of a dollar.
VARIABLE = re.compile(r"(?<!\$)\$\{(?P<name>\w+)(?:(?P<operator>:[-?])(?P<rest>[^}]*))?\}")
# A full release of the kinds that the stack uses: 17.11-bookworm, 25.12.5.44, RELEASE.2025-09-07T16-13-09Z. Redis
# and PostgreSQL, and ClickHouse below its third number, also have shorter tags, which move.
EXACT_TAG = re.compile(r"\d+\.\d+\.\d+(\.\d+)?(-[a-z0-9.]+)?|RELEASE\.\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ")
POSTGRES_TAG = re.compile(r"\d+\.\d+-bookworm")  # PostgreSQL's releases have two numbers


def values_of(text: str) -> dict[str, str]:
    """Name -> value of an .env file's lines."""
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


def interpolated(text: str, values: dict[str, str]) -> str:
    """`text` as `docker compose` reads it; a ValueError with the message of the first required value that is empty."""

    def value(match: re.Match[str]) -> str:
        found = values.get(match["name"], "")
        if match["operator"] == ":?" and not found:
            raise ValueError(match["rest"])
        return found or (match["rest"] or "" if match["operator"] == ":-" else "")

    return VARIABLE.sub(value, text)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What docker/make-env.py writes into .env."""
    output = tmp_path_factory.mktemp("env") / ".env"
    script = str(ROOT / "docker" / "make-env.py")
    subprocess.run([sys.executable, script, "--output", str(output)], check=True, capture_output=True)
    return values_of(output.read_text(encoding="utf-8"))


EXAMPLE_VALUES = values_of(EXAMPLE)
SECRETS = {name for name, value in EXAMPLE_VALUES.items() if not value}
USES = [(match["name"], match["operator"], match["rest"]) for match in VARIABLE.finditer(COMPOSE)]


# -- the file ------------------------------------------------------------------------------------------------------


def test_the_file_keeps_to_the_compose_schema() -> None:
    folder = importlib.resources.files("check_jsonschema") / "builtin_schemas" / "vendor"
    schema = json.loads((folder / "compose-spec.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(STACK)


@pytest.mark.parametrize("name", sorted(name for name in SERVICES if "image" in SERVICES[name]))
def test_every_pulled_image_is_pinned_to_one_release(name: str) -> None:
    repository, _, tag = SERVICES[name]["image"].rpartition(":")
    assert repository.count("/") == 2, "the registry is named too"
    assert (POSTGRES_TAG if name == "postgres" else EXACT_TAG).fullmatch(tag), tag


def test_langfuse_web_and_worker_are_the_same_release() -> None:
    tags = {SERVICES[name]["image"].rpartition(":")[2] for name in ("langfuse-web", "langfuse-worker")}
    assert len(tags) == 1


def test_a_built_service_has_no_name_that_a_registry_could_answer_to() -> None:
    built = {name for name in SERVICES if "build" in SERVICES[name]}
    assert built == {"goldloop-worker", "goldloop-webhook", "prefect-deploy", "ml-backend"}
    assert {name for name in SERVICES if "image" not in SERVICES[name]} == built
    for name in built:
        context = ROOT / SERVICES[name]["build"]["context"]
        assert (context / SERVICES[name]["build"]["dockerfile"]) in DOCKERFILES


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_lasts_with_a_health_check_or_runs_once(name: str) -> None:
    service = SERVICES[name]
    if name in ONE_SHOT:
        assert service["restart"] == "no"
        assert "healthcheck" not in service
    else:
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
        assert {"interval", "timeout", "retries", "start_period"} <= set(service["healthcheck"])


def test_no_health_check_needs_curl() -> None:
    assert not [name for name in SERVICES if "curl" in json.dumps(SERVICES[name].get("healthcheck"))]


@pytest.mark.parametrize(
    "name", ["label-studio", "prefect-server", "goldloop-worker", "goldloop-webhook", "ml-backend"]
)
def test_a_health_check_in_python_compiles(name: str) -> None:
    program = SERVICES[name]["healthcheck"]["test"][-1]
    compile(program, f"{name}'s health check", "exec")


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_waits_for_what_it_needs(name: str) -> None:
    for needed, how in SERVICES[name].get("depends_on", {}).items():
        assert needed in SERVICES
        wanted = "service_completed_successfully" if needed in ONE_SHOT else "service_healthy"
        assert how == {"condition": wanted}
        assert set(SERVICES[name]["networks"]) & set(SERVICES[needed]["networks"]) or needed in ONE_SHOT


def test_no_service_waits_for_itself() -> None:
    waiting = {name: set(service.get("depends_on", {})) for name, service in SERVICES.items()}
    while ready := {name for name, needed in waiting.items() if not needed & set(waiting)}:
        waiting = {name: needed for name, needed in waiting.items() if name not in ready}
    assert not waiting


def test_networks_and_volumes_are_the_named_ones() -> None:
    networks = {network for service in SERVICES.values() for network in service["networks"]}
    assert networks == set(STACK["networks"])
    mounts = [mount for service in SERVICES.values() for mount in service.get("volumes", [])]
    sources = [mount.split(":")[0] for mount in mounts]
    assert {source for source in sources if not source.startswith("./")} == set(STACK["volumes"])
    assert all((ROOT / source).is_file() for source in sources if source.startswith("./"))


# -- who can reach what --------------------------------------------------------------------------------------------


def test_only_the_web_pages_are_published_and_on_the_chosen_address_only() -> None:
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(ports) == set(PUBLISHED)
    for name, inside in PUBLISHED.items():
        (port,) = ports[name]
        assert re.fullmatch(r"\$\{BIND_ADDRESS:-127\.0\.0\.1\}:\$\{\w+_PORT:-\d+\}:" + inside, port)


def test_the_stores_have_no_way_out_and_label_studio_none_to_langfuse_s() -> None:
    for network in ("database", "langfuse"):
        assert STACK["networks"][network] == {"internal": True}
    for name in ("postgres", "clickhouse", "redis", "minio"):
        assert "stack" not in SERVICES[name]["networks"]
    assert "langfuse" not in SERVICES["label-studio"]["networks"]


def test_label_studio_s_ssrf_protection_is_narrowed_and_not_off() -> None:
    environment = SERVICES["label-studio"]["environment"]
    assert environment["SSRF_PROTECTION_ENABLED"] == "true"
    assert environment["USE_DEFAULT_BANNED_SUBNETS"] == "false"
    assert "169.254.0.0/16" in environment["USER_ADDITIONAL_BANNED_SUBNETS"].split(",")
    assert "ML_BLOCK_LOCAL_IP" not in environment


def test_nothing_calls_home() -> None:
    assert SERVICES["langfuse-web"]["environment"]["TELEMETRY_ENABLED"] == "false"
    assert SERVICES["langfuse-worker"]["environment"]["TELEMETRY_ENABLED"] == "false"
    label_studio = SERVICES["label-studio"]["environment"]
    assert (label_studio["COLLECT_ANALYTICS"], label_studio["LATEST_VERSION_CHECK"]) == ("false", "false")
    assert (label_studio["SENTRY_DSN"], label_studio["FRONTEND_SENTRY_DSN"]) == ("", "")
    assert SERVICES["prefect-server"]["environment"]["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    for name in ("prefect-server", "prefect-deploy", "goldloop-worker"):
        assert SERVICES[name]["environment"]["DO_NOT_TRACK"] == "1"


# -- secrets -------------------------------------------------------------------------------------------------------


def test_the_example_names_what_the_stack_reads_and_nothing_else() -> None:
    assert {name for name, _, _ in USES} == set(EXAMPLE_VALUES)
    assert not re.findall(r"(?<!\$)\$\w+", COMPOSE), "a bare $NAME would escape these tests"


def test_a_secret_is_required_and_says_what_to_set() -> None:
    for name, operator, rest in USES:
        if name in SECRETS:
            assert operator == ":?", name
            assert name in rest, "the message names what to set"
        else:
            assert (operator, rest) == (":-", EXAMPLE_VALUES[name]), "the example shows the default"


def test_every_name_that_sounds_like_a_secret_is_one() -> None:
    sounding = re.compile(r"PASSWORD|SECRET|KEY|SALT|TOKEN|_AUTH")
    assert {name for name in EXAMPLE_VALUES if sounding.search(name)} == SECRETS
    for name, service in SERVICES.items():
        for key, value in service.get("environment", {}).items():
            if sounding.search(key) and value != "true" and not key.endswith("_ACCESS_KEY_ID"):
                required = {use["name"] for use in VARIABLE.finditer(value) if use["operator"] == ":?"}
                assert required & SECRETS, f"{name}: {key} holds something that is not from .env"


def test_the_example_says_how_to_make_each_secret() -> None:
    for paragraph in EXAMPLE.split("\n#"):
        if any(f"\n{name}=" in paragraph for name in SECRETS):
            assert "openssl rand" in paragraph, paragraph


def test_an_unedited_copy_of_the_example_stops_with_a_name() -> None:
    with pytest.raises(ValueError, match=r"set [A-Z_]+ in \.env"):
        interpolated(COMPOSE, EXAMPLE_VALUES)


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_each_secret_stops_the_stack_alone(name: str, made: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=rf"set {name} in \.env"):
        interpolated(COMPOSE, made | {name: ""})


def test_both_sides_of_every_connection_hold_the_same_secret(made: dict[str, str]) -> None:
    services = yaml.safe_load(interpolated(COMPOSE, made))["services"]
    worker = services["goldloop-worker"]["environment"]
    web = services["langfuse-web"]["environment"]
    label_studio = services["label-studio"]["environment"]
    assert worker["LANGFUSE_PUBLIC_KEY"] == web["LANGFUSE_INIT_PROJECT_PUBLIC_KEY"]
    assert worker["LANGFUSE_SECRET_KEY"] == web["LANGFUSE_INIT_PROJECT_SECRET_KEY"]
    assert worker["LABEL_STUDIO_API_KEY"] == label_studio["LABEL_STUDIO_USER_TOKEN"]
    server = services["prefect-server"]["environment"]
    assert worker["PREFECT_API_AUTH_STRING"] == server["PREFECT_SERVER_API_AUTH_STRING"]
    database = services["postgres"]["environment"]
    assert f":{database['GOLDLOOP_DB_PASSWORD']}@postgres:" in worker["GOLDLOOP_STORE_URL"]
    assert f":{database['LANGFUSE_DB_PASSWORD']}@postgres:" in web["DATABASE_URL"]
    assert f":{database['PREFECT_DB_PASSWORD']}@postgres:" in server["PREFECT_SERVER_DATABASE_CONNECTION_URL"]
    assert database["LABEL_STUDIO_DB_PASSWORD"] == label_studio["POSTGRE_PASSWORD"]
    assert web["REDIS_AUTH"] in services["redis"]["command"]
    assert web["CLICKHOUSE_PASSWORD"] == services["clickhouse"]["environment"]["CLICKHOUSE_PASSWORD"]
    minio = services["minio"]["environment"]
    assert minio["MINIO_ROOT_PASSWORD"] == web["LANGFUSE_S3_EVENT_UPLOAD_SECRET_ACCESS_KEY"]


def test_each_database_is_made_with_the_owner_that_its_service_logs_in_as() -> None:
    script = (ROOT / "docker" / "postgres-init.sql").read_text(encoding="utf-8")
    variables = dict(re.findall(r"^\\getenv (\w+) (\w+)$", script, re.MULTILINE))
    roles = dict(re.findall(r"^CREATE ROLE (\w+) LOGIN PASSWORD :'(\w+)';$", script, re.MULTILINE))
    owners = dict(re.findall(r"^CREATE DATABASE (\w+) OWNER (\w+);$", script, re.MULTILINE))
    assert owners == {name: name for name in ("langfuse", "label_studio", "prefect", "goldloop")}
    environment = SERVICES["postgres"]["environment"]
    for role in owners:
        assert variables[roles[role]] in environment
    urls = re.findall(r"postgresql[+\w]*://(\w+):\$\{(\w+):[^}]*\}@postgres:5432/(\w+)", COMPOSE)
    assert len(urls) == 3
    for user, variable, database in urls:
        assert (user, variable) == (database, variables[roles[user]])
    label_studio = SERVICES["label-studio"]["environment"]
    assert owners[label_studio["POSTGRE_NAME"]] == label_studio["POSTGRE_USER"]


def test_the_judge_s_settings_reach_who_judges_and_nobody_else() -> None:
    reading = {name: service["env_file"] for name, service in SERVICES.items() if "env_file" in service}
    assert set(reading) == {"goldloop-worker", "ml-backend"}
    assert all(files == [{"path": "judge.env", "required": False}] for files in reading.values())
    # What stands under `environment` would win over the file.
    assert not [name for name in reading for key in SERVICES[name]["environment"] if "JUDGE" in key]
    assert "/judge.env" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


# -- the Dockerfiles -----------------------------------------------------------------------------------------------


def test_the_images_are_built_from_a_list_of_what_goes_in() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert next(line for line in ignored if line and not line.startswith("#")) == "*"
    assert "**/.env*" in ignored


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_a_dockerfile_is_pinned_frozen_and_not_root(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    bases = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert bases
    assert all(re.fullmatch(r"python:\d+\.\d+\.\d+-slim-bookworm", base) for base in bases), bases
    assert "latest" not in text
    assert re.search(r"pip install --no-cache-dir uv==\d+\.\d+\.\d+$", text, re.MULTILINE)
    assert all("--frozen --no-dev" in line for line in re.findall(r"^RUN uv sync.*$", text, re.MULTILINE))
    final = text[text.rindex("\nFROM ") :]
    users = re.findall(r"^USER (\S+)$", final, re.MULTILINE)
    assert users == ["goldloop"]
    assert "ca-certificates" in final
    assert final.index("\nUSER ") < final.index("\nCMD ")


def test_both_images_are_of_the_same_python_and_uv() -> None:
    pins = [re.findall(r"python:\d\S+|uv==\S+", path.read_text(encoding="utf-8")) for path in DOCKERFILES]
    assert pins[0] == pins[1]


def test_the_image_s_extras_are_the_project_s() -> None:
    text = DOCKERFILES[0].read_text(encoding="utf-8")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for extra in set(re.findall(r"--extra (\S+)", text)):
        assert re.search(rf"^{extra} = \[", project, re.MULTILINE), extra
