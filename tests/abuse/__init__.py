"""The hostile evening, and that it finds what is wrong."""
