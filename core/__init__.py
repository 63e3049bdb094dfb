"""Words everybody shares: places, readings, quantities, flags, ports, errors, clock and texts (stdlib, numpy and gsw only)."""
