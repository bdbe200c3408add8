"""One function a command, found in one table (:mod:`exchange.handlers.exchange`)."""
