"""Which subscriptions ingest holds at a broker, alone or as one of several that share the data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

DEFAULT_SHARE = "ingest"
_UNSHARED = ("/status", "/command/ack")  # one process takes these; their order over all devices matters


def is_shared(topic_filter: str) -> bool:
    """Whether this filter's messages may be divided among workers."""
    return not topic_filter.endswith(_UNSHARED)


def shared_form(topic_filter: str, share: str | None) -> str:
    """`$share/NAME/…` where `share` is given and this filter's messages may be divided among workers."""
    return f"$share/{share}/{topic_filter}" if share is not None and is_shared(topic_filter) else topic_filter


def other_forms(filters: Iterable[str], share: str | None, wanted: Sequence[str]) -> tuple[str, ...]:
    """Subscriptions an older configuration may have left in the session: with one of them everything would come twice."""
    forms = {shared_form(f, s) for f in filters for s in (None, DEFAULT_SHARE, share)}
    return tuple(sorted(forms - set(wanted)))
