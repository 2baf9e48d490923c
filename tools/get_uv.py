# noqa: INP001 -- a script, run by its path
"""Finds uv, or brings it into the checkout, and prints its path.

For a machine that has Python 3.11 or newer and a package index, and perhaps neither pip nor the venv module. In turn:
uv on the PATH; the checkout's own in `.goldloop/bin/`; pip, with whatever index or mirror it is configured for; the
wheel that `uv.lock` names. What is installed here is the version that `uv.lock` pins, checked by its digests.
"""

import hashlib
import io
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

OLDEST = (0, 8)  # as pyproject.toml asks for
CHECKOUT = Path(__file__).resolve().parents[1]
DOWNLOAD_SECONDS = 120


class NoUvError(Exception):
    """None of the ways led to uv; the message says what to do."""


@dataclass(frozen=True)
class Wheel:
    """A wheel of uv as the lock file names it."""

    url: str
    sha256: str

    @property
    def platforms(self) -> list[str]:
        """Its platform tags, for example `manylinux2014_x86_64`."""
        return self.url.rsplit("/", 1)[-1].removesuffix(".whl").rsplit("-", 1)[-1].split(".")


@dataclass(frozen=True)
class LockedUv:
    """The release of uv that the project is locked to."""

    version: str
    wheels: tuple[Wheel, ...]


def main() -> int:
    """Print the path of a usable uv."""
    try:
        print(get_uv(CHECKOUT))  # noqa: T201 -- the answer to the Makefile
    except NoUvError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def get_uv(checkout: Path) -> Path:
    """The path of a usable uv, installed into the checkout where there is none. Raises NoUvError."""
    own = checkout / ".goldloop" / "bin" / "uv"
    on_path = shutil.which("uv")
    for candidate in (Path(on_path) if on_path else None, own):
        if candidate is not None and is_usable(candidate):
            return candidate
    locked = read_lock(checkout / "uv.lock")
    own.parent.mkdir(parents=True, exist_ok=True)
    reasons = []
    for way in (from_pip, from_wheel):
        try:
            install(way(locked), own)
        except NoUvError as error:
            reasons.append(str(error))
        else:
            return own
    raise NoUvError(f"uv could not be installed ({'; '.join(reasons)}): install it yourself, then run this again.")


def is_usable(uv: Path) -> bool:
    """Whether this program runs and is new enough."""
    try:
        answer = subprocess.run([uv, "--version"], capture_output=True, text=True, check=True, timeout=60)  # noqa: S603 -- the uv that was found
    except (OSError, subprocess.SubprocessError):
        return False
    numbers = re.search(r"(\d+)\.(\d+)", answer.stdout)
    return numbers is not None and (int(numbers[1]), int(numbers[2])) >= OLDEST


def read_lock(lock: Path) -> LockedUv:
    """What the lock file says about uv."""
    try:
        packages = tomllib.loads(lock.read_text(encoding="utf-8"))["package"]
        entry = next(package for package in packages if package["name"] == "uv")
        wheels = tuple(Wheel(wheel["url"], wheel["hash"].removeprefix("sha256:")) for wheel in entry["wheels"])
        return LockedUv(entry["version"], wheels)
    except (OSError, tomllib.TOMLDecodeError, KeyError, StopIteration):
        raise NoUvError(f"{lock} names no uv: restore it from the repository") from None


def from_pip(locked: LockedUv) -> bytes:
    """The program as pip brings it, by the user's own configuration of pip."""
    with tempfile.TemporaryDirectory() as folder:
        digests = " ".join(f"--hash=sha256:{wheel.sha256}" for wheel in locked.wheels)
        requirements = Path(folder) / "requirements.txt"
        requirements.write_text(f"uv=={locked.version} {digests}\n", encoding="utf-8")
        options = ("--quiet", "--disable-pip-version-check", "--no-input", "--no-deps", "--only-binary", ":all:")
        target = Path(folder) / "installed"
        command: list[str | Path] = [
            sys.executable,
            "-m",
            "pip",
            "install",
            *options,
            "--target",
            target,
            "--requirement",
            requirements,
        ]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 -- this Python's own pip
            if done.returncode != 0:
                raise NoUvError(f"pip: {_last_line(done.stderr)}")
            return (target / "bin" / "uv").read_bytes()
        except OSError as error:
            raise NoUvError(f"pip: {error}") from None


def from_wheel(locked: LockedUv) -> bytes:
    """The program out of the wheel that the lock file names for this machine."""
    wheel = pick(locked.wheels, wanted_platforms())
    try:
        with urllib.request.urlopen(wheel.url, timeout=DOWNLOAD_SECONDS) as answer:  # noqa: S310 -- address and digest are the lock file's
            content = answer.read()
    except (OSError, urllib.error.URLError) as error:
        raise NoUvError(f"the download of its wheel: {error}") from None
    if hashlib.sha256(content).hexdigest() != wheel.sha256:
        raise NoUvError("its wheel is not the one that uv.lock names: the digest differs")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            if name.endswith(".data/scripts/uv"):
                return archive.read(name)
    raise NoUvError("its wheel holds no program")


def wanted_platforms() -> Iterator[re.Pattern[str]]:
    """Patterns of the platform tags that fit this machine, best first."""
    machine = platform.machine().lower()
    if sys.platform == "darwin":
        yield re.compile(rf"macosx_\d+_\d+_{machine}")
        return
    architecture = {"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine)
    if platform.libc_ver()[0] == "glibc":
        yield re.compile(rf"manylinux\w*_{architecture}")
    yield re.compile(rf"musllinux\w*_{architecture}")  # linked statically: it runs beside any libc


def pick(wheels: tuple[Wheel, ...], wanted: Iterator[re.Pattern[str]]) -> Wheel:
    """The first wheel that fits one of the patterns, in the patterns' order."""
    for pattern in wanted:
        for wheel in wheels:
            if any(pattern.fullmatch(tag) for tag in wheel.platforms):
                return wheel
    raise NoUvError(f"no wheel for {sys.platform} on {platform.machine()}")


def install(program: bytes, target: Path) -> None:
    """Write the program so that nobody ever sees half of it, and try it."""
    descriptor, draft = tempfile.mkstemp(dir=target.parent)
    with os.fdopen(descriptor, "wb") as file:
        file.write(program)
    Path(draft).chmod(0o755)
    if not is_usable(Path(draft)):
        Path(draft).unlink()
        raise NoUvError("what was brought does not run here")
    Path(draft).replace(target)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it failed silently"


if __name__ == "__main__":
    sys.exit(main())
