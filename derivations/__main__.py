"""python -m derivations: the command line."""

from derivations.cli import main

if __name__ == "__main__":
    main(prog_name="derivations")
