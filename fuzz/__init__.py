"""What reads bytes of others, as functions that a fuzzer calls: `make fuzz`, and `tests/fuzz`."""
