"""What operators do with an exchange from the command line: ``magi-exchange admin``."""
