"""Settings of the relay between a phone and an agent."""

from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator

from exchange.settings.group import Group
from exchange.settings.kinds import Count, Port, Secret, SocketUrl


class Relay(Group):
    """The relay between a phone and an agent (docs/protocols/coralmux.md)."""

    enabled: bool = Field(default=True, description="Serve it under /coralmux on the main port.")
    listener: bool = Field(
        default=False, description="Serve it at its original place, too: a port of its own, path /ws."
    )
    listener_host: str = Field(default="", description="Address of that port; empty: EXCHANGE_LISTEN__HOST.")
    listener_port: Port = Field(default=8443, description="That port, shared by all nodes; 0 picks a free one.")
    tls_certificate_file: Path | None = Field(
        default=None, description="Certificate chain (PEM) of that port; without one a balancer in front does TLS."
    )
    tls_key_file: Path | None = Field(default=None, description="Its private key (PEM).")
    public_url: SocketUrl = Field(
        default="", description="Where phones and agents reach it, as wss://host/path; shown with every pairing."
    )
    admin_key: Secret = Field(
        default=SecretStr(""),
        description="Key that making and deleting pairings over HTTP needs; empty: only this machine may.",
    )
    token_ttl_seconds: float = Field(
        default=0.0, ge=0, le=315_360_000, description="How long a pairing token is good; 0 is for ever."
    )
    registrations_per_hour_count: int = Field(
        default=5, ge=0, le=32, description="Pairings that an address may register in any hour (CORAL-30)."
    )
    daily_quota_bytes: int = Field(
        default=524_288_000, ge=0, le=1 << 50, description="Bytes that a pairing may pass on in a UTC day (CORAL-22)."
    )
    monthly_quota_bytes: int = Field(
        default=10_737_418_240, ge=0, le=1 << 50, description="Bytes that it may pass on in a UTC month."
    )
    phone_per_minute_count: Count = Field(default=30, description="Frames a phone may send a minute (CORAL-21).")
    phone_burst_count: Count = Field(default=30, description="Frames a phone may send at once.")
    agent_per_minute_count: Count = Field(default=120, description="Frames an agent may send a minute.")
    agent_burst_count: Count = Field(default=120, description="Frames an agent may send at once.")
    queue_frames_count: int = Field(
        default=256, ge=4, le=100_000, description="Frames that may wait for a slow reader (CORAL-23)."
    )
    queue_bytes: int = Field(
        default=32 << 20, ge=8 << 20, le=1 << 30, description="Bytes that may wait for a slow reader."
    )
    auth_seconds: float = Field(default=60.0, ge=0.1, le=600, description="The first frame comes within this time.")
    ping_seconds: float = Field(default=30.0, ge=0, le=3600, description="How often a client is pinged (CORAL-5).")
    silence_seconds: float = Field(
        default=60.0, ge=0, le=7200, description="Without a sign of life for so long it is gone."
    )
    stall_seconds: float = Field(
        default=10.0, ge=1, le=600, description="When it reads nothing for so long it is aborted."
    )
    unproven_seconds: float = Field(
        default=15.0,
        ge=1,
        le=600,
        description="After so long without the store connections are closed: nobody knows whether they are current (CORAL-37).",
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if (self.tls_certificate_file is None) != (self.tls_key_file is None):
            raise ValueError("EXCHANGE_RELAY__TLS_CERTIFICATE_FILE and EXCHANGE_RELAY__TLS_KEY_FILE belong together")
        if 0 < self.silence_seconds < self.ping_seconds + 1:
            raise ValueError(
                "EXCHANGE_RELAY__SILENCE_SECONDS should be longer than EXCHANGE_RELAY__PING_SECONDS by a second or more"
            )
        if self.listener and not self.enabled:
            raise ValueError("EXCHANGE_RELAY__LISTENER needs EXCHANGE_RELAY__ENABLED")
        return self
