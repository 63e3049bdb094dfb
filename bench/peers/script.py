"""The usual script from MQTT to InfluxDB, in two forms: `python -m bench.peers.script synchronous|batching BROKER_PORT INFLUX_PORT DATABASE`.

As the libraries' own examples do it, and kindly: a persistent session at QoS 1, a large window, a goodbye at SIGTERM that flushes
what waits. An error of the store ends the synchronous form before its message is acknowledged; whoever runs it starts it again.
The one thing that is not usual: InfluxDB 1.6 has no /api/v2/write, so the client's path is rewritten here, in the process.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from typing import Any

import paho.mqtt.client as mqtt
from influxdb_client._sync.api_client import ApiClient
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write.point import Point
from influxdb_client.client.write_api import SYNCHRONOUS, WriteOptions

PRECISION = {"ns": "n", "us": "u", "ms": "ms", "s": "s"}
_call = ApiClient.call_api


def _rewritten(self: Any, path: str, method: str, path_params: Any = None, query_params: Any = None, *rest: Any, **more: Any) -> Any:
    if path == "/api/v2/write":
        given = dict(query_params)
        path, query_params = "/write", [("db", given["bucket"]), ("precision", PRECISION[given.get("precision", "ns")])]
    return _call(self, path, method, path_params, query_params, *rest, **more)


def main() -> None:
    """Until SIGTERM."""
    form, broker_port, influx_port, database = sys.argv[1:5]
    ApiClient.call_api = _rewritten  # type: ignore[method-assign,assignment] # see above
    influx = InfluxDBClient(url=f"http://127.0.0.1:{influx_port}", token="", org="-")
    write_api = influx.write_api(write_options=SYNCHRONOUS if form == "synchronous" else WriteOptions(batch_size=1000, flush_interval=1000))

    def on_connect(client: mqtt.Client, *args: Any) -> None:
        print(f"connected {time.monotonic()}", flush=True)
        client.subscribe("canhman/+/+/telemetry", qos=1)

    def on_subscribe(*args: Any) -> None:
        print("subscribed", flush=True)

    def on_message(client: mqtt.Client, userdata: Any, message: mqtt.MQTTMessage) -> None:
        body = json.loads(message.payload)
        device = message.topic.split("/")[2]
        point = Point("water").tag("org", "default").tag("station", device).tag("point", "main").tag("sensor", device).time(body["time"])
        for name, value in body["readings"].items():
            point = point.field(name.partition(".")[2], float(value))
        write_api.write(bucket=database, record=point)

    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=f"script-{form}", clean_session=False)
    client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message

    def goodbye(*args: Any) -> None:
        client.disconnect()

    signal.signal(signal.SIGTERM, goodbye)
    client.connect("127.0.0.1", int(broker_port), keepalive=60)
    client.loop_forever()
    write_api.close()
    influx.close()


if __name__ == "__main__":
    main()
