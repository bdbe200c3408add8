"""How an operator's command ends: in order, or with one sentence on standard error and a status."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from exchange.refusal import REFUSED_STATUS, StartRefused

DECLINED_STATUS = 1


class Declined(Exception):
    """What was asked for is not there, or not to be done so. The message is one sentence for the operator."""


@contextmanager
def one_sentence() -> Iterator[None]:
    """End the command with 1 if it is declined, with 3 if the store or a setting is in the way; say why."""
    try:
        yield
    except Declined as error:
        typer.echo(error, err=True)
        raise typer.Exit(DECLINED_STATUS) from None
    except StartRefused as error:
        typer.echo(error, err=True)
        raise typer.Exit(REFUSED_STATUS) from None
