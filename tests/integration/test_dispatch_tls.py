"""Goal: https is spoken with the receiver that the URL names and with nobody who only claims to be.

Method: a receiver on loopback with a certificate of its own authority, made for this test; the
name, the authority and the protocol are wrong in turn.
"""

from __future__ import annotations

import base64
import datetime
import ssl
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, time_ns

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from paper.journal import PaperJournal, sale
from paper.receiver import Receiver
from posengine.desk import Desk
from posengine.dispatch import (
    Choice,
    Retry,
    Secret,
    Serializer,
    SinkBusy,
    Webhook,
    deliver,
    judge_url,
)
from posengine.replay import Replay

SECRET = "whsec_" + base64.b64encode(b"a test secret of 32 bytes.......").decode()
ALL = Choice(frozenset(), frozenset(), frozenset(), frozenset())


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Desk.open(tmp_path / "desk", clock_ns=time_ns) as opened:
        yield opened


def certificate(home: Path, host: str) -> Path:
    """A self-signed certificate and its key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = home / f"{host}.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


def serving(path: Path, *, newest: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    if newest is not None:
        context.minimum_version = newest
        context.maximum_version = newest
    return context


def carry(port: int, desk: Desk, authority: Path | None) -> int:
    journal = PaperJournal()
    journal.commit(sale(1), sale(2))
    sink = Webhook(
        judge_url(f"https://localhost:{port}/hook"),
        serializer=Serializer(["sequence"]),
        choice=ALL,
        secrets=[Secret(SECRET)],
        clock_ns=time_ns,
        monotonic=monotonic,
        tls=None if authority is None else ssl.create_default_context(cafile=str(authority)),
        resolve=lambda host, port: ["127.0.0.1"],
    )
    try:
        return deliver(
            Replay(journal, desk, "shop"), sink, history=desk,
            retry=Retry(lambda: 0.0, retries_max=0), sleep=lambda s: None,
        )
    finally:
        sink.close()


def test_a_receiver_with_the_right_certificate_gets_everything(tmp_path: Path, desk: Desk) -> None:
    path = certificate(tmp_path, "localhost")
    with Receiver(SECRET, tls=serving(path)) as receiver:
        assert carry(receiver.port, desk, path) == 2
    assert len(receiver.ids) == 2 and receiver.forged == 0


def test_a_receiver_of_an_unknown_authority_gets_nothing(tmp_path: Path, desk: Desk) -> None:
    path = certificate(tmp_path, "localhost")
    with Receiver(SECRET, tls=serving(path)) as receiver:
        with pytest.raises(SinkBusy, match="CERTIFICATE_VERIFY_FAILED"):
            carry(receiver.port, desk, None)
        assert receiver.requests == 0


def test_a_receiver_of_another_name_gets_nothing(tmp_path: Path, desk: Desk) -> None:
    path = certificate(tmp_path, "shop.example")
    with Receiver(SECRET, tls=serving(path)) as receiver:
        with pytest.raises(SinkBusy, match="Hostname mismatch"):
            carry(receiver.port, desk, path)
        assert receiver.requests == 0


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_an_old_protocol_is_not_spoken(tmp_path: Path, desk: Desk) -> None:
    path = certificate(tmp_path, "localhost")
    with Receiver(SECRET, tls=serving(path, newest=ssl.TLSVersion.TLSv1_1)) as receiver:
        with pytest.raises(SinkBusy, match="SSL"):
            carry(receiver.port, desk, path)
        assert receiver.requests == 0


def test_a_receiver_without_tls_is_not_spoken_to_in_the_clear(tmp_path: Path, desk: Desk) -> None:
    with Receiver(SECRET) as receiver:
        with pytest.raises(SinkBusy, match="SSL"):
            carry(receiver.port, desk, None)
        assert receiver.events == [] and receiver.forged == 0
