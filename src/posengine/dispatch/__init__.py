"""Dispatch: a customer's entries, by an allow-list of fields, to a webhook or to daily files."""

from posengine.dispatch.address import AddressRefused, Target, address_fault, judge_url
from posengine.dispatch.daily import DailyFiles, FilesFault, csv_cell
from posengine.dispatch.delivery import (
    History,
    Retry,
    Sink,
    SinkBusy,
    SinkError,
    SinkRefused,
    deliver,
)
from posengine.dispatch.fields import FIELDS, FORBIDDEN, Serializer, field_fault
from posengine.dispatch.run import (
    Resent,
    Result,
    World,
    open_sink,
    resend,
    retry_dead,
    run_forever,
    run_once,
)
from posengine.dispatch.signature import Secret, SecretFault, read_secrets, verify
from posengine.dispatch.subscription import Choice, DispatchSettings, Subscription, load
from posengine.dispatch.webhook import Waits, Webhook

__all__ = [
    "FIELDS",
    "FORBIDDEN",
    "AddressRefused",
    "Choice",
    "DailyFiles",
    "DispatchSettings",
    "FilesFault",
    "History",
    "Resent",
    "Result",
    "Retry",
    "Secret",
    "SecretFault",
    "Serializer",
    "Sink",
    "SinkBusy",
    "SinkError",
    "SinkRefused",
    "Subscription",
    "Target",
    "Waits",
    "Webhook",
    "World",
    "address_fault",
    "csv_cell",
    "deliver",
    "field_fault",
    "judge_url",
    "load",
    "open_sink",
    "read_secrets",
    "resend",
    "retry_dead",
    "run_forever",
    "run_once",
    "verify",
]
