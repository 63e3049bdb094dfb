"""Logs: what a fault leaves behind."""

from __future__ import annotations

import io

import pytest
import structlog

from canhman import logs


@pytest.mark.parametrize("json", [False, True])
def test_a_fault_is_logged_with_its_trace_and_without_what_stood_in_variables(json: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it happened is told; the values at hand may be a person's password."""
    into = io.StringIO()
    logs.set_up(json=json, into=into)
    password = "not-for" + "-the-log"
    try:
        try:
            raise ZeroDivisionError(f"a fault of {len(password)}")
        except ZeroDivisionError:
            structlog.get_logger().exception("a fault")
    finally:
        structlog.reset_defaults()
    said = into.getvalue()
    assert "ZeroDivisionError: a fault of 15" in said
    assert "test_logs.py" in said
    assert "not-for-the-log" not in said
