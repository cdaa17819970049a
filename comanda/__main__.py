"""`python -m comanda` is the command line."""

from comanda.cli import main

if __name__ == "__main__":
    main()
