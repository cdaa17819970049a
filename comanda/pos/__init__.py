"""Points of sale: adapters that fulfil the POS port of `comanda.actors.ports`."""
