"""`python -m syncline`: the command line."""

from syncline.cli.main import main

if __name__ == "__main__":
    main()
