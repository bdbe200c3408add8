"""One chore a module; the table that names them all is :mod:`worker.schedule`."""
