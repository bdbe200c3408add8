"""Where state lives: every port of :mod:`exchange.ports`, in memory and in Redis."""
