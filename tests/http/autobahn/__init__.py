"""The cases of Autobahn's test suite, played against the worker."""
