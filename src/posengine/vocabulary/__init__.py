"""The trade's words as Python has them: kinds, outcomes and flags of entries.

They are the numbers of ``posengine/journal.h`` and ``kind.def``, which journals are written in; a
test holds the two together. A number of a later build is kept as ``Kind.UNKNOWN`` by ``kind_of``.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag

from posengine.vocabulary.currency import CURRENCIES, digits_text, money_text

__all__ = [
    "CURRENCIES",
    "Flag",
    "Kind",
    "Outcome",
    "digits_text",
    "kind_of",
    "money_text",
    "outcome_of",
]


class Kind(IntEnum):
    """What an entry is. ``sign`` is what an approved one does to the batch totals."""

    sign: int
    """+1 debit (money towards the merchant), -1 credit (money back), 0 neither."""
    english: str
    chinese: str

    def __new__(cls, number: int, sign: int, english: str, chinese: str) -> Kind:
        member = int.__new__(cls, number)
        member._value_ = number
        member.sign = sign
        member.english = english
        member.chinese = chinese
        return member

    UNKNOWN = (0, 0, "unknown", "未知")
    SIGN_ON = (1, 0, "sign-on", "签到")
    SIGN_OFF = (2, 0, "sign-off", "签退")
    ECHO = (3, 0, "echo test", "回响测试")
    BALANCE = (4, 0, "balance inquiry", "余额查询")
    SALE = (5, 1, "sale", "消费")
    SALE_VOID = (6, -1, "sale void", "消费撤销")
    REFUND = (7, -1, "refund", "退货")
    PREAUTH = (8, 0, "pre-authorisation", "预授权")
    PREAUTH_VOID = (9, 0, "pre-authorisation void", "预授权撤销")
    COMPLETION = (10, 1, "completion", "预授权完成(请求)")
    COMPLETION_VOID = (11, -1, "completion void", "预授权完成撤销")
    COMPLETION_ADVICE = (12, 1, "completion advice", "预授权完成(通知)")
    OFFLINE_SALE = (13, 1, "offline settlement", "离线结算")
    ADJUST = (14, 1, "settlement adjust", "结算调整")
    TIP_ADJUST = (15, 1, "tip adjust", "小费调整")
    EC_SALE = (16, 1, "electronic-cash sale upload", "电子现金脱机消费上送")
    EC_LOAD = (17, 0, "electronic-cash load", "电子现金圈存")
    EC_CASH_LOAD = (18, -1, "electronic-cash cash load", "电子现金现金充值")
    EC_CASH_LOAD_VOID = (19, 1, "cash load void", "现金充值撤销")
    REVERSAL = (20, 0, "reversal", "冲正")
    SETTLE = (21, 0, "settlement", "批结算")
    BATCH_DETAIL = (22, 0, "batch upload detail", "批上送明细")
    BATCH_ADVICE = (23, 0, "batch upload advice", "批上送通知类")
    BATCH_CHIP = (24, 0, "batch upload chip detail", "批上送IC卡明细")
    BATCH_END = (25, 0, "batch upload end", "批上送结束")
    SCRIPT_RESULT = (26, 0, "script result", "脚本结果通知")
    STATUS_UPLOAD = (27, 0, "terminal status upload", "终端状态上送")
    DOWNLOAD = (28, 0, "download", "参数/密钥下载")
    DOWNLOAD_QUERY = (29, 0, "download query", "下载查询")
    DOWNLOAD_END = (30, 0, "download end", "下载结束")
    SLIP = (31, 0, "electronic slip", "电子签购单")
    QR_SALE = (32, 1, "QR sale", "扫码消费")
    QR_VOID = (33, -1, "QR void", "扫码撤销")
    QR_REFUND = (34, -1, "QR refund", "扫码退货")
    ALARM = (35, 0, "alarm", "告警")
    ADMINISTRATION = (36, 0, "administration", "管理")


class Outcome(IntEnum):
    """What became of the request."""

    NONE = 0
    APPROVED = 1
    DECLINED = 2
    REPEAT = 3
    REFUSED = 4
    NOTED = 5


class Flag(IntFlag):
    """Facts that were known when the entry was written."""

    MAC_CHECKED = 0x00000001
    PIN = 0x00000002
    TRACK = 0x00000004
    CHIP = 0x00000008
    PAN = 0x00000010
    CARD_EXPIRED = 0x00000020
    QR = 0x00000040
    FALLBACK = 0x00000080
    STANDIN = 0x00000100
    BALANCED = 0x00000200
    FOREIGN = 0x00000400
    ANSWERED = 0x00000800
    LATE = 0x00001000
    PARTIAL = 0x00002000
    KEYS_MADE = 0x00004000
    BATCH_OPENED = 0x00008000
    BATCH_CLOSED = 0x00010000
    FINAL = 0x00020000
    EXPIRY = 0x00040000
    PAN_INVALID = 0x00080000


_KINDS = {int(kind): kind for kind in Kind}
_OUTCOMES = {int(outcome): outcome for outcome in Outcome}


def kind_of(number: int) -> Kind:
    """The kind of that number; ``UNKNOWN`` for one of a later build."""
    return _KINDS.get(number, Kind.UNKNOWN)


def outcome_of(number: int) -> Outcome:
    """The outcome of that number; ``NONE`` for one of a later build."""
    return _OUTCOMES.get(number, Outcome.NONE)
