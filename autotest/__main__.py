"""``python -m autotest`` is the ``autotest`` command."""

from autotest.cli import main

if __name__ == "__main__":
    main()
