"""The `bench` program: measures the exchange beside its peers, prints a table, keeps JSON and a chart.

    python -m bench.run [--quick] [--scenario live | stored | chat | all] [--rounds N] [--seconds S]
                        [--peers ordinary,node_ws | none]

Exit status 0 if everything that was asked for was measured, 1 if a stack is missing, 2 for a wrong option.
"""

import argparse
import contextlib
import json
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from bench import machine, report
from bench.generator import CHUNK_BYTES, Load, build
from bench.plot import svg
from bench.process import Unmeasurable
from bench.round import Cores, Round, measure
from bench.stacks import PEERS, ROOT, SCENARIOS, STACKS, Stack

RESULTS = Path(__file__).with_name("results")
TITLES = {stack.name: stack.title for stack in STACKS.values()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program."""
    options = _options(arguments)
    for each in (signal.SIGINT, signal.SIGTERM):  # SIGINT too: a shell's background jobs are started with it ignored
        signal.signal(each, _interrupt)
    load = Load(warm_seconds=options.warm, saturate_seconds=options.seconds, pace_seconds=options.seconds)
    started = datetime.now(UTC)
    facts, commit = machine.describe(), machine.commit()
    scenarios = {name: [*SCENARIOS[name], *options.peers] for name in options.scenarios}
    try:
        rounds, missing = _measure_all(_together(scenarios.values()), options.rounds, load)
    except Unmeasurable as reason:
        print(f"bench: {reason}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted; nothing is kept", file=sys.stderr)
        return 130
    settings = {"rounds": options.rounds, "cores_apart": Cores.choose().apart, **asdict(load)}
    for scenario, stacks in scenarios.items():
        names = [stack.name for stack in stacks]
        own = [each for each in rounds if each.stack in names]
        own.sort(key=lambda each: (each.number, names.index(each.stack)))
        kept = report.document(
            own,
            scenario=scenario,
            started=started.isoformat(timespec="seconds"),
            machine=facts,
            commit=commit,
            settings=settings | _habits(stacks),
            missing={name: reason for name, reason in missing.items() if name in names},
            of=names[0],
        )
        _show(own, kept)
        if own and options.results:
            _keep(own, kept, options.results / f"{started:%Y-%m-%d}-{scenario}")
    return 1 if missing else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__, formatter_class=_Raw)
    parser.add_argument("--quick", action="store_true", help="one short round: shows that it runs, proves nothing")
    parser.add_argument("--scenario", default="all", choices=[*SCENARIOS, "all"], help="what to measure (default all)")
    parser.add_argument("--rounds", type=int, help="rounds of every stack, interleaved (default 3; quick: 1)")
    parser.add_argument(
        "--seconds", type=float, help="length of each of the two measured windows (default 4; quick: 2)"
    )
    parser.add_argument("--peers", type=_peers, default=_peers("all"), help="peers by name, `all` (default) or `none`")
    parser.add_argument("--results", type=Path, help="folder for JSON and chart (default bench/results; quick: none)")
    options = parser.parse_args(arguments)
    options.scenarios = list(SCENARIOS) if options.scenario == "all" else [options.scenario]
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.seconds = options.seconds or (2.0 if options.quick else 4.0)
    options.warm = 0.5 if options.quick else 1.0
    options.results = options.results or (None if options.quick else RESULTS)
    return options


class _Raw(argparse.RawDescriptionHelpFormatter):
    """Leaves the usage lines of the module's text as they are."""


def _peers(text: str) -> list[Stack]:
    names = {"all": list(PEERS), "none": []}.get(text, text.split(","))
    unknown = [name for name in names if name not in PEERS]
    if unknown:
        raise argparse.ArgumentTypeError(f"no peer is called {unknown[0]!r}; there are {', '.join(PEERS)}")
    return [PEERS[name] for name in names]


def _together(scenarios: Iterable[Sequence[Stack]]) -> list[Stack]:
    """Return every stack once: scenarios that share one share its rounds."""
    return list({stack.name: stack for stacks in scenarios for stack in stacks}.values())


def _habits(stacks: Sequence[Stack]) -> dict[str, Any]:
    """Say how often the extended clients of each stack acknowledge, and how long the chunks of agents are, if there are any."""
    acks = {stack.name: stack.clients.ack_every for stack in stacks if stack.clients.stored}
    chunks = any(stack.clients.chat for stack in stacks)
    return ({"ack_every": acks} if acks else {}) | ({"chunk_bytes": CHUNK_BYTES} if chunks else {})


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _measure_all(stacks: Sequence[Stack], count: int, load: Load) -> tuple[list[Round], dict[str, str]]:
    """Run the rounds interleaved: a change of the machine's mood meets every stack. A stack that fails is left out."""
    program, cores = build(), Cores.choose()
    rounds: list[Round] = []
    missing: dict[str, str] = {}
    for stack in stacks:
        with _missing_unless_done(stack, missing):
            stack.prepare()
    for number in range(1, count + 1):
        for stack in stacks:
            if stack.name not in missing:
                print(f"round {number} of {count}: {stack.title} ...", file=sys.stderr, flush=True)
                with _missing_unless_done(stack, missing):
                    rounds.append(measure(stack, number, load, program, cores))
    return [each for each in rounds if each.stack not in missing], missing


@contextlib.contextmanager
def _missing_unless_done(stack: Stack, missing: dict[str, str]) -> Iterator[None]:
    try:
        yield
    except Unmeasurable as reason:
        missing[stack.name] = str(reason).replace(f"{ROOT}/", "")  # results name no folders of a machine


def _show(rounds: Sequence[Round], kept: dict[str, Any]) -> None:
    facts, found = kept["machine"], report.medians(rounds)
    print(f"\nscenario {kept['scenario']}, medians of {kept['settings']['rounds']} rounds")
    print(f"{facts['cores']} cores of {facts['cpu']}, Python {facts['python']}, Valkey {facts['valkey']}")
    print(f"latency at {kept['settings']['paced_per_second']} msg/s\n")
    print(report.table(found, TITLES, kept["ratios"]))
    for warning in kept["warnings"]:
        print(f"warning: {warning}")
    if not kept["settings"]["cores_apart"]:
        print("warning: one core only: nodes, Redis and generator took turns on it")
    for name, reason in kept["missing"].items():
        print(f"not measured: {TITLES[name]}: {reason}")


def _keep(rounds: Sequence[Round], kept: dict[str, Any], stem: Path) -> None:
    facts = kept["machine"]
    caption = f"{kept['started'][:10]}, {facts['cores']} cores of {facts['cpu']}, commit {kept['commit'][:10]}"
    stem.parent.mkdir(parents=True, exist_ok=True)
    stem.with_suffix(".json").write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    stem.with_suffix(".svg").write_text(svg(report.medians(rounds), TITLES, caption))
    print(f"\nkept in {stem.name}.json and {stem.name}.svg")


if __name__ == "__main__":
    sys.exit(main())
