"""The rules of a shared table, pure: no trio, no SQL, no HTTP, no clock, no randomness."""
