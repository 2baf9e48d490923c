"""Free ports on the loopback address, the same ones on every start where possible.

Tasks in Label Studio link to traces by address, so a port that changed would break every link made before.
"""

import json
import random
import socket
import threading
from pathlib import Path

LOOPBACK = "127.0.0.1"
# Below the range from which systems take the local ends of outgoing connections: such an end would look like a server.
FIRST_PORT, LAST_PORT = 18_000, 29_999
ATTEMPTS = 200


class LocalPorts:
    """Ports by name, remembered in a JSON file (`{"label-studio": 18080}`)."""

    def __init__(self, file: Path, chooser: random.Random) -> None:
        self._file = file
        self._chooser = chooser
        self._lock = threading.Lock()
        self._taken: set[int] = set()

    def take(self, name: str) -> int:
        """The port that `name` had before when it is free now, else another one; OSError when none is free."""
        with self._lock:
            remembered = self._read()
            port = remembered.get(name)
            if port is None or not self._usable(port):
                port = self._choose(set(remembered.values()))
                remembered[name] = port
                self._write(remembered)
            self._taken.add(port)
            return port

    def _choose(self, reserved: set[int]) -> int:
        for _ in range(ATTEMPTS):
            port = self._chooser.randint(FIRST_PORT, LAST_PORT)
            if port not in reserved and self._usable(port):
                return port
        raise OSError(f"no free port between {FIRST_PORT} and {LAST_PORT} on {LOOPBACK}")

    def _usable(self, port: int) -> bool:
        return port not in self._taken and is_free(port)

    def _read(self) -> dict[str, int]:
        try:
            known = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        if not isinstance(known, dict):
            return {}
        return {name: port for name, port in known.items() if isinstance(port, int) and 0 < port < 65_536}  # noqa: PLR2004 -- TCP's own limit

    def _write(self, ports: dict[str, int]) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        draft = self._file.with_suffix(".new")
        draft.write_text(json.dumps(ports, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        draft.replace(self._file)


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback address now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # remains of ended connections do not count
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
