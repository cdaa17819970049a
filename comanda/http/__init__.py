"""The front: HTTP and websockets on Quart-Trio and a hardened Hypercorn worker."""
