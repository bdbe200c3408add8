"""Where the store is and how to get in: one URL, read once, shown without its secrets."""

from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

DEFAULT_PORT = 6379


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address of Redis or Valkey. ``path`` names a unix socket; without one, ``host`` and ``port`` count.

    ``str()`` and ``repr()`` show neither user nor password, so that both may be logged.
    """

    host: str = ""
    port: int = DEFAULT_PORT
    path: str = ""
    tls: bool = False
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    db: int = 0

    def __str__(self) -> str:
        if self.path:
            return f"unix://{self.path}" + (f"?db={self.db}" if self.db else "")
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'rediss' if self.tls else 'redis'}://{host}:{self.port}/{self.db}"

    @classmethod
    def parse(cls, url: str) -> "Endpoint":
        """Read ``redis://``, ``rediss://`` (TLS, verified) or ``unix://`` with user, password and database.

        ``redis://[[user]:password@]host[:port][/db]`` or ``unix://[[user]:password@]/path/of/socket[?db=n]``. Special
        characters in user and password are percent-encoded; ``?db=n`` is understood everywhere.

        Raises:
            ValueError: Says which part is wrong, and never repeats the URL: it may hold a password.
        """
        try:
            parts = urlsplit(url)
        except ValueError:
            # Not chained: the library's texts quote pieces of the URL.
            raise ValueError("store URL: it is no URL (special characters and brackets are percent-encoded)") from None
        query = _query(parts)
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        if parts.scheme == "unix":
            # A host would be the first piece of a relative path, which depends on where the process was started.
            if parts.hostname or not parts.path.strip("/"):
                raise ValueError("store URL: unix:// needs an absolute path, as in unix:///run/valkey.sock")
            return cls(path=unquote(parts.path), user=user, password=password, db=_db(query.get("db", "0")))
        if parts.scheme not in {"redis", "rediss"}:
            raise ValueError("store URL: it must start with redis://, rediss:// or unix://")
        host = parts.hostname
        if not host:
            raise ValueError("store URL: the host is missing")
        db = parts.path.strip("/")
        if db and "db" in query:
            raise ValueError("store URL: the database is given twice, in the path and as ?db=")
        return cls(
            host=host,
            port=_port(parts),
            tls=parts.scheme == "rediss",
            user=user,
            password=password,
            db=_db(db or query.get("db", "0")),
        )


def _port(parts: SplitResult) -> int:
    try:
        port = parts.port
    except ValueError:  # not chained either
        port = 0
    if port == 0:
        raise ValueError(
            "store URL: the port must be 1 to 65535 (are special characters of the password percent-encoded?)"
        )
    return DEFAULT_PORT if port is None else port


def _db(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError("store URL: the database must be a number, as in redis://host:6379/0")
    return int(text)


def _query(parts: SplitResult) -> dict[str, str]:
    if parts.fragment:
        raise ValueError("store URL: '#' must be percent-encoded as %23")
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    if query.keys() - {"db"}:
        raise ValueError("store URL: the only option after '?' is db")
    return query
