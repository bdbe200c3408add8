"""Background jobs. Any number of workers may run; every job has one holder at a time and may be killed anywhere."""
