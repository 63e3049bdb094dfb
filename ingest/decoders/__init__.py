"""Decoders: one file per format or device model, exporting `DECODER`."""
