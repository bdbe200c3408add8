"""What all groups of settings have in common."""

from pydantic import BaseModel, ConfigDict


class Group(BaseModel):
    """Settings of one subject."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
