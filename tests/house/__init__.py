"""Rules of the house: what every file must keep to, whoever wrote it."""
