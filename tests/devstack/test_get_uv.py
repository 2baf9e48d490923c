"""Each way to uv, with a program that pretends to be it."""

import functools
import hashlib
import http.server
import importlib.util
import io
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

PRETEND_UV = "#!/bin/sh\necho uv 9.9.9\n"
OLD_UV = "#!/bin/sh\necho uv 0.4.1\n"
CHECKOUT = Path(__file__).resolve().parents[2]


def load() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("get_uv", CHECKOUT / "tools" / "get_uv.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["get_uv"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


get_uv = load()


def place(path: Path, program: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(program, encoding="utf-8")
    path.chmod(0o755)
    return path


def wheel_of(program: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("uv-9.9.9.data/scripts/uv", program)
        archive.writestr("uv-9.9.9.dist-info/METADATA", "Metadata-Version: 2.1\nName: uv\nVersion: 9.9.9\n")
        archive.writestr("uv-9.9.9.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: py3-none-any\n")
        archive.writestr("uv-9.9.9.dist-info/RECORD", "")
    return content.getvalue()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files without a word."""

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Where `tmp_path / "served"` is served."""
    (tmp_path / "served").mkdir()
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(tmp_path / "served"))
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout on a machine without uv and with a pip that has no index."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    (tmp_path / "checkout").mkdir()
    write_lock(tmp_path / "checkout", [])
    return tmp_path / "checkout"


def write_lock(checkout: Path, wheels: list[tuple[str, bytes]]) -> None:
    listed = "".join(
        f'    {{ url = "{url}", hash = "sha256:{hashlib.sha256(content).hexdigest()}" }},\n' for url, content in wheels
    )
    text = f'version = 1\n\n[[package]]\nname = "uv"\nversion = "9.9.9"\nwheels = [\n{listed}]\n'
    (checkout / "uv.lock").write_text(text, encoding="utf-8")


def this_platform() -> str:
    """A platform tag that fits here."""
    pattern: str = next(get_uv.wanted_platforms()).pattern
    return pattern.replace(r"\d+_\d+", "11_0").replace(r"\w*", "2014")


def test_uv_on_the_path_comes_first(checkout: Path, tmp_path: Path) -> None:
    on_path = place(tmp_path / "bin" / "uv", PRETEND_UV)
    place(checkout / ".goldloop" / "bin" / "uv", PRETEND_UV)
    assert get_uv.get_uv(checkout) == on_path


def test_an_old_uv_on_the_path_is_passed_over(checkout: Path, tmp_path: Path) -> None:
    place(tmp_path / "bin" / "uv", OLD_UV)
    own = place(checkout / ".goldloop" / "bin" / "uv", PRETEND_UV)
    assert get_uv.get_uv(checkout) == own


@pytest.mark.enable_socket
def test_the_locked_wheel_is_downloaded_and_checked(checkout: Path, tmp_path: Path, address: str) -> None:
    name = f"uv-9.9.9-py3-none-{this_platform()}.whl"
    content = wheel_of(PRETEND_UV)
    (tmp_path / "served" / name).write_bytes(content)
    write_lock(checkout, [(f"{address}/uv-9.9.9-py3-none-win_amd64.whl", b""), (f"{address}/{name}", content)])
    uv = get_uv.get_uv(checkout)
    assert uv == checkout / ".goldloop" / "bin" / "uv"
    assert subprocess.run([uv], capture_output=True, text=True, check=True).stdout == "uv 9.9.9\n"


@pytest.mark.enable_socket
def test_a_wheel_with_another_digest_is_refused(checkout: Path, tmp_path: Path, address: str) -> None:
    name = f"uv-9.9.9-py3-none-{this_platform()}.whl"
    (tmp_path / "served" / name).write_bytes(wheel_of("#!/bin/sh\necho uv 6.6.6\n"))
    write_lock(checkout, [(f"{address}/{name}", wheel_of(PRETEND_UV))])
    with pytest.raises(get_uv.NoUvError, match="the digest differs"):
        get_uv.get_uv(checkout)
    assert not (checkout / ".goldloop" / "bin" / "uv").exists()


def test_pip_is_used_as_its_user_configured_it(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False).returncode != 0:
        base_python = Path(sys.base_prefix) / "bin" / "python3"
        if subprocess.run([base_python, "-m", "pip", "--version"], capture_output=True, check=False).returncode != 0:
            pytest.skip("no pip on this machine")
        monkeypatch.setattr(sys, "executable", str(base_python))
    links = tmp_path / "links"
    links.mkdir()
    content = wheel_of(PRETEND_UV)
    (links / f"uv-9.9.9-py3-none-{this_platform()}.whl").write_bytes(content)
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    write_lock(checkout, [(f"http://127.0.0.1:9/uv-9.9.9-py3-none-{this_platform()}.whl", content)])
    assert get_uv.get_uv(checkout) == checkout / ".goldloop" / "bin" / "uv"


@pytest.mark.enable_socket
def test_when_every_way_fails_one_sentence_says_so(checkout: Path) -> None:
    write_lock(checkout, [(f"http://127.0.0.1:9/uv-9.9.9-py3-none-{this_platform()}.whl", b"")])
    with pytest.raises(get_uv.NoUvError, match=r"could not be installed \(pip: .*; the download .*\): install it"):
        get_uv.get_uv(checkout)


def test_the_committed_lock_has_a_wheel_for_every_machine() -> None:
    locked = get_uv.read_lock(CHECKOUT / "uv.lock")
    for tag in ("manylinux_x86_64", "musllinux_x86_64", "manylinux_aarch64", "musllinux_aarch64"):
        system, _, machine = tag.partition("_")
        pattern = get_uv.re.compile(rf"{system}\w*_{machine}")
        assert get_uv.pick(locked.wheels, iter([pattern])).sha256
    for machine in ("arm64", "x86_64"):
        assert get_uv.pick(locked.wheels, iter([get_uv.re.compile(rf"macosx_\d+_\d+_{machine}")])).sha256


def test_a_machine_that_no_wheel_fits_is_named(checkout: Path) -> None:
    with pytest.raises(get_uv.NoUvError, match="no wheel for"):
        get_uv.pick((), iter([]))
    assert get_uv.read_lock(checkout / "uv.lock").version == "9.9.9"
