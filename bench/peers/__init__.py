"""What somebody would write in place of ours: paho-mqtt and influxdb-client, one write a message or in the library's batches."""

from bench import load as load  # puts tests/ on the path
