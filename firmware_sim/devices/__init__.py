"""Models of simulated devices: each module exports `DEVICE`, a `firmware_sim.device_kinds.SimDevice`."""
