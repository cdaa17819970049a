"""The decoders of others' bytes, as properties."""
