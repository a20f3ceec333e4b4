"""`python -m logstreamer` is the command line."""

from logstreamer.cli import main

if __name__ == "__main__":
    main()
