"""A fuzzer for everything that reads bytes of strangers, and for what reads back what we wrote: `make fuzz`."""
