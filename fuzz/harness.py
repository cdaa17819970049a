"""`python -m fuzz.harness DECODER CORPUS …`: libFuzzer on one decoder, in this process."""

import sys

import atheris

with atheris.instrument_imports(include=["comanda", "wsproto", "tomllib", "standardwebhooks"]):
    from .decoders import DECODERS


def main() -> None:
    """Fuzz until libFuzzer ends the process."""
    decoder = DECODERS[sys.argv.pop(1)]
    atheris.Setup(sys.argv, decoder)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
