"""The simulator of a POS: a real HTTP server that plays the POS contract, its faults included.

Its ledger is a file that outlives it, so that what reached the kitchen can be counted afterwards.
"""
