"""``python -m teleop`` is the same as the command ``trocar``."""

from teleop.cli.app import main

if __name__ == "__main__":
    main()
