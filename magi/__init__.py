"""What the owner of a magi installs. So far the wires, :mod:`magi.wire`, which clients and server share."""

__version__ = "0.1.0"
