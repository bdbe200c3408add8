"""``python -m magi`` is the program ``magi``."""

from magi.cli.main import main

if __name__ == "__main__":
    main()
