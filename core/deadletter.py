"""What could not be stored, and why; kept with its raw bytes in the journal so that a fix can replay it."""

from __future__ import annotations

from dataclasses import dataclass

# reason → (vi, en). A reason is never renamed: people filter by it.
REASONS: dict[str, tuple[str, str]] = {
    "malformed": ("Tin không đọc được", "The message cannot be read"),
    "not_a_number": ("Giá trị không phải số", "A value is not a finite number"),
    "unknown_quantity": ("Không biết đại lượng này", "A quantity nobody registered"),
    "bad_channel": ("Tên kênh đo không hợp lệ", "A channel name that is not a slug"),
    "bad_time": ("Thời gian không đọc được hoặc thiếu múi giờ", "A time that cannot be read, or has no zone"),
    "clock": ("Đồng hồ máy sai", "A time before 2000 or more than 10 minutes ahead"),
    "no_identity": ("Thiếu boot hoặc seq", "A clockless message without boot and seq"),
    "retained": ("Tin cũ broker giữ lại, không rõ tuổi", "A retained clockless message: its age is unknown"),
    "wrong_org": ("Máy thuộc đơn vị khác", "The topic's org is not the device's"),
    "forbidden": ("Không được phép gửi vào chủ đề này", "The sender may not publish here"),
    "bad_topic": ("Chủ đề ngoài quy ước", "A topic outside the contract"),
    "no_decoder": ("Chưa có bộ giải mã cho dạng tin này", "No decoder for this kind of message yet"),
    "unknown_device": ("Máy chưa đăng ký", "A device nobody registered"),
    "quota": ("Máy chờ duyệt gửi quá nhiều", "A device that waits for approval sent more than is kept"),
    "not_deployed": ("Máy chưa đặt ở trạm nào vào lúc đó", "The sensor stood nowhere at that time"),
    "store_refused": ("Kho số liệu từ chối dòng này", "The store refused this row"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """One refusal of one journalled message; `key` names the value, empty for the whole message.

    `position` is the message's place in the journal named `journal`; `head` its first 1 KiB; `offset_ms` the device's
    clock offset for reason `clock`. `replay` and `shift_ms` are set when somebody asked for it to be read again.
    """

    reason: str
    text: str
    journal: str
    position: int
    topic: str
    org: str
    device: str
    key: str = ""
    received: int
    head: bytes = b""
    offset_ms: int | None = None
    count: int = 1
    id: int = 0
    replay: bool = False
    shift_ms: int = 0
    resolved_at: int | None = None


HEAD_BYTES = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which dead letters: what is None does not choose. since ≤ received < until [ms].

    `org` is that of the letter's device, or where nobody registered that, the one it was sent to. `is_open`: not resolved yet.
    """

    reason: str | None = None
    device: str | None = None
    org: str | None = None
    since: int | None = None
    until: int | None = None
    is_open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Dead letters of one reason and device: how many, how many of them nobody has resolved, when the first and the last was received [ms].

    `rows` of the unresolved have a row of their own: only these can be read again one by one; beyond 1,000 the rest are counted.
    """

    reason: str
    device: str
    org: str
    count: int
    open: int
    rows: int
    oldest: int
    newest: int
