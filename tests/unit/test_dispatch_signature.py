"""Goal: a receiver that knows Standard Webhooks takes our messages and no altered one.

Method: the specification's published example; every single-byte change of a signed message;
secret files of every wrong kind. The secrets here are made for this test.
"""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from posengine.dispatch import Secret, SecretFault, read_secrets, verify
from posengine.dispatch.signature import signature_header

FIRST = "whsec_" + base64.b64encode(b"f" * 24).decode()
SECOND = "whsec_" + base64.b64encode(b"s" * 64).decode()
BODY = b'{"type":"entry","data":{"amount_minor":1000}}'


def headers_of(*secrets: str, event_id: str = "0a-17", at_s: int = 1000) -> dict[str, str]:
    signed = signature_header([Secret(text) for text in secrets], event_id, at_s, BODY)
    return {"webhook-id": event_id, "webhook-timestamp": str(at_s), "webhook-signature": signed}


def test_the_published_example_recomputes() -> None:
    """Source: Standard Webhooks and Svix documentation, "How to manually verify"."""
    secret = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("receiver", [FIRST, SECOND])
def test_while_a_secret_is_replaced_either_is_right(receiver: str) -> None:
    headers = headers_of(FIRST, SECOND)
    assert headers["webhook-signature"].count("v1,") == 2
    assert verify(Secret(receiver), headers, BODY, now_s=1000)


def test_every_change_of_a_byte_is_seen() -> None:
    secret, headers = Secret(FIRST), headers_of(FIRST)
    assert verify(secret, headers, BODY, now_s=1000)
    for index in range(len(BODY)):
        changed = BODY[:index] + bytes([BODY[index] ^ 1]) + BODY[index + 1:]
        assert not verify(secret, headers, changed, now_s=1000)
    for name, text in headers.items():
        for index in range(3 if name == "webhook-signature" else 0, len(text)):
            altered = {**headers, name: text[:index] + chr(ord(text[index]) ^ 1) + text[index + 1:]}
            assert not verify(secret, altered, BODY, now_s=1000), altered
    assert not verify(Secret(SECOND), headers, BODY, now_s=1000)
    assert not verify(secret, {}, BODY, now_s=1000)


@pytest.mark.parametrize(
    ("now_s", "taken"), [(700, True), (1300, True), (699, False), (1301, False)]
)
def test_a_message_is_fresh_for_five_minutes(now_s: int, taken: bool) -> None:
    assert verify(Secret(FIRST), headers_of(FIRST), BODY, now_s=now_s) is taken


@pytest.mark.parametrize(
    "text",
    ["", "whsec_", "abc", "whsec_!!!!", "whsec_" + base64.b64encode(b"x" * 23).decode(),
     "whsec_" + base64.b64encode(b"x" * 65).decode()],
)
def test_a_secret_of_another_form_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(SecretFault) as caught:
        Secret(text)
    assert len(text) < 10 or text[6:] not in str(caught.value)


def test_a_secret_is_not_in_its_repr() -> None:
    assert repr(Secret(FIRST)) == "Secret(...)"


def test_secrets_come_from_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    path = tmp_path / "shop.secret"
    path.write_text(f"# new\n{FIRST}\n\n# old\n{SECOND}\n")
    path.chmod(0o640)
    with pytest.raises(SecretFault, match="open to others: chmod 600"):
        read_secrets(path)
    path.chmod(0o600)
    assert len(read_secrets(path)) == 2


@pytest.mark.parametrize(
    "text", ["", "# only words\n", f"{FIRST}\n{FIRST}\n{SECOND}\n", "whsec_x\n"]
)
def test_a_file_of_none_or_three_or_wrong_secrets_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "shop.secret"
    path.touch(mode=0o600)
    path.write_text(text)
    with pytest.raises(SecretFault, match=r"shop\.secret"):
        read_secrets(path)
    with pytest.raises(SecretFault):
        read_secrets(tmp_path / "absent")
