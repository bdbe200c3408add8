"""``python -m magi.daemon``: the daemon of the profile that the environment and ``--profile`` name."""

import argparse
import asyncio
import sys

from magi.client.errors import ProfileError
from magi.daemon import process
from magi.desk.profile import Profile


def main(arguments: list[str] | None = None) -> int:
    """Be the daemon and return its exit status."""
    parser = argparse.ArgumentParser("magi.daemon")
    parser.add_argument("--profile", default="")
    parser.add_argument(
        "--server", action="append", default=[], help="address of an exchange, before those in the settings"
    )
    parser.add_argument("--idle-seconds", type=float, default=process.IDLE_SECONDS)
    given = parser.parse_args(arguments)
    try:
        profile = Profile.load({"profile": given.profile, "servers": tuple(given.server)})
        process.log_to_file(profile)
    except ProfileError as error:
        sys.stderr.write(f"{error}\n")
        return process.Exit.FAILED
    return asyncio.run(process.run(profile, idle_seconds=given.idle_seconds))


if __name__ == "__main__":
    sys.exit(main())
