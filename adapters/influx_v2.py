"""Sending line protocol to InfluxDB 2.x through influxdb-client. Imported where it is needed: the library takes 19 MB."""

from __future__ import annotations

import ssl

import urllib3
from influxdb_client.client.exceptions import InfluxDBError
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.rest import ApiException
from influxdb_client.service.write_service import WriteService

from adapters.influx_query import words
from adapters.influx_send import Answer, is_page
from core.errors import RefusedError, UnavailableError


class V2Sender:
    """InfluxDB 2.x through the library as it is: synchronous, no retries, no redirects, one body a batch."""

    def __init__(self, url: str, token: str, *, org: str, bucket: str, where: str, timeout: float, tls: ssl.SSLContext) -> None:
        client = InfluxDBClient(url, token, org=org, timeout=int(timeout * 1000), retries=False, ssl_context=tls)
        self._client = client
        self._org = org
        self._bucket = bucket
        self._where = where
        self._service = WriteService(client.api_client)  # type: ignore[no-untyped-call]  # the library is untyped

    def send(self, body: bytes) -> Answer:
        """POST /api/v2/write. WriteService rather than WriteApi: that one hides the status, and 200 is no success."""
        try:
            _, status, headers = self._service.post_write_with_http_info(  # type: ignore[no-untyped-call]  # the library is untyped
                org=self._org,
                bucket=self._bucket,
                body=body,
                precision="ms",
                content_type="text/plain; charset=utf-8",
                _return_http_data_only=False,
                urlopen_kw={"redirect": False, "retries": False},
            )
        except ApiException as error:
            if not error.status:
                raise UnavailableError(f"{self._where}: {error.reason}") from error
            return Answer(status=error.status, text=error.body or error.reason or "", page=is_page(_content_type(error.headers)))
        except (urllib3.exceptions.HTTPError, OSError, UnicodeDecodeError) as error:
            raise UnavailableError(f"{self._where}: {error}") from error
        return Answer(status=status, text="", page=is_page(_content_type(headers)))

    def create(self) -> None:
        """Make the bucket, kept for ever, through the buckets API."""
        by_hand = f"make it by hand: influx bucket create --org {self._org} --name {self._bucket} --retention 0"
        try:
            if not self._has_bucket():
                self._client.buckets_api().create_bucket(bucket_name=self._bucket, org=self._org)
        except ApiException as error:
            if not error.status or error.status >= 500 or error.status == 429:
                raise UnavailableError(f"{self._where}: answered {error.status} {words(error.body or '')}") from error
            said = f"{error.status} {words(error.body or '')}"
            raise RefusedError(f"{self._where}: cannot make bucket {self._bucket!r} with this token ({said}); {by_hand}") from error
        except InfluxDBError as error:  # the library's own: no such org
            raise RefusedError(f"{self._where}: {error.message}; {by_hand}") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise UnavailableError(f"{self._where}: {error}") from error

    def _has_bucket(self) -> bool:
        try:
            found = self._client.buckets_api().find_buckets(name=self._bucket, org=self._org)  # type: ignore[no-untyped-call]  # the library is untyped
        except ApiException as error:
            if error.status == 404:  # how 2.x says that no bucket has the name (or that the org is not there: then making it says so)
                return False
            raise
        return bool(found.buckets)

    def close(self) -> None:
        """Close the library's pool."""
        self._client.close()  # type: ignore[no-untyped-call]  # the library is untyped


def _content_type(headers: object) -> str | None:
    get = getattr(headers, "get", None)
    return str(get("Content-Type", "")) if get else None
