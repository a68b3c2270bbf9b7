"""Goal: a stranger's terminal can do a day's work against ``posengine serve``, and nothing that
peers, operators or kills do to it makes it lose, double or leak anything.

Method: the engine in a process of its own, the terminal of tests/oracle written from the dialect
sheet alone, sockets on loopback.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from oracle.terminal import Line, Terminal, frame, unpack
from paper.server import Server
from paper.shop import MID, TMK, Shop
from posengine.errors import EngineError


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    shop = Shop(tmp_path)
    shop.write()
    with Server(shop) as running:
        yield running


def work(server: Server, line: Line, index: int = 0) -> Terminal:
    terminal = server.shop.terminal(index)
    terminal.sign_on(line)
    return terminal


def ok(terminal: Terminal, line: Line, request: bytes) -> bytes:
    reply = line.exchange(request)
    assert terminal.open(reply)[39] == b"00"
    return reply


def is_closed(line: Line) -> bool:
    try:
        line.take()
    except (EOFError, ConnectionResetError):
        return True
    return False


@contextmanager
def asleep(server: Server) -> Iterator[None]:
    """The engine stops, and finds what came meanwhile all at once."""
    assert server.process is not None
    server.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        server.process.send_signal(signal.SIGCONT)


# ---- a day ---------------------------------------------------------------------------------------
def test_a_day_sign_on_sell_repeat_reverse_settle(server: Server) -> None:
    with server.line() as line:
        terminal = work(server, line)
        request = terminal.sale(100)
        first = ok(terminal, line, request)
        assert line.exchange(request) == first
        ok(terminal, line, terminal.sale(250))
        reversed_ = terminal.open(line.exchange(terminal.reversal(f"{terminal.stan:06d}")))
        assert reversed_[39] == b"00"
        settled = terminal.open(line.exchange(terminal.settle(100, 1)))
        assert str(settled[48])[30] == "1"


def test_after_kill_9_the_repeat_gets_the_same_bytes_and_keys_still_serve(server: Server) -> None:
    with server.line() as line:
        terminal = work(server, line)
        request = terminal.sale(100)
        first = ok(terminal, line, request)
    server.kill()
    server.start()
    with server.line() as line:
        assert line.exchange(request) == first
        ok(terminal, line, terminal.sale(200))


def test_sixty_four_in_flight_on_one_line_are_all_answered(server: Server) -> None:
    with server.line() as line:
        terminal = work(server, line)
        requests = [terminal.sale(1) for _ in range(640)]
        answered = set()
        line.send(b"".join(requests[:64]))
        for index in range(640):
            answered.add(terminal.open(line.take())[11])
            if index + 64 < 640:
                line.send(requests[index + 64])
        assert len(answered) == 640
    counters = json.loads(server.ask("stat"))["counters"]
    assert counters["approved"] == 641
    assert counters["pages"] < 500, "pages are shared under load"


def test_many_lines_at_once_each_get_their_own_replies(server: Server) -> None:
    lines = [server.line() for _ in range(100)]
    terminals = [server.shop.terminal(index % server.shop.count) for index in range(100)]
    for terminal in terminals[: server.shop.count]:
        with server.line() as line:
            terminal.sign_on(line)
    for index, (line, terminal) in enumerate(zip(lines, terminals, strict=True)):
        signed = terminals[index % server.shop.count]
        terminal.mak, terminal.batch, terminal.stan = signed.mak, signed.batch, 1000 + index
        line.send(terminal.sale(index + 1))
    for index, (line, terminal) in enumerate(zip(lines, terminals, strict=True)):
        opened = terminal.open(line.take())
        assert int(str(opened[4])) == index + 1
        line.close()


def test_what_many_lines_sent_at_once_is_one_wave(server: Server) -> None:
    """All that one poll of the sockets returned, not a wave a connection."""
    lines = [server.line() for _ in range(40)]
    terminals = [work(server, line, index) for index, line in enumerate(lines[:4])]
    before = json.loads(server.ask("stat"))["counters"]
    with asleep(server):
        for index, line in enumerate(lines):
            line.send(terminals[index % 4].sale(1 + index))
    for index, line in enumerate(lines):
        assert terminals[index % 4].open(line.take())[39] == b"00"
        line.close()
    after = json.loads(server.ask("stat"))["counters"]
    assert after["frames"] - before["frames"] == 40
    assert after["waves"] - before["waves"] <= 3
    assert after["pages"] - before["pages"] <= 3


@pytest.mark.parametrize("page_entries", [4096, 64])
def test_what_is_more_than_a_round_takes_is_taken_in_the_next(
    tmp_path: Path, page_entries: int
) -> None:
    """Forty links with as much in flight as they may have, all there when the engine looks; with
    small pages the round ends before it has read them all."""
    shop = Shop(tmp_path)
    shop.write(journal={"page_entries_max": page_entries})
    with Server(shop) as server:
        lines = [server.line() for _ in range(40)]
        terminals = [work(server, line, index) for index, line in enumerate(lines[:4])]
        sent = [[terminals[index % 4].sale(1) for _ in range(250)] for index in range(40)]
        with asleep(server):
            for line, requests in zip(lines, sent, strict=True):
                line.send(b"".join(requests))
        for index, (line, requests) in enumerate(zip(lines, sent, strict=True)):
            opened = [terminals[index % 4].open(line.take()) for _ in requests]
            assert {answer[39] for answer in opened} == {b"00"}
            assert len({answer[11] for answer in opened}) == len(requests)
            line.close()


@pytest.mark.parametrize("in_flight", [1_000, 64])
def test_what_came_while_nobody_looked_is_read_to_its_end(tmp_path: Path, in_flight: int) -> None:
    """Of one line more than a read takes, or than may be unanswered before it is read again; of
    another a message with the line's end behind it."""
    shop = Shop(tmp_path)
    shop.write(front={"in_flight_max": in_flight})
    with Server(shop) as server, server.line() as long, server.line() as ended:
        terminal, other = work(server, long, 0), work(server, ended, 1)
        requests = [terminal.sale(1) for _ in range(450)]
        with asleep(server):
            long.send(b"".join(requests))
            ended.send(other.sale(1))
            ended.socket.shutdown(socket.SHUT_WR)
        assert len({terminal.open(long.take())[11] for _ in requests}) == len(requests)
        assert other.open(ended.take())[39] == b"00"
        assert is_closed(ended)


def test_when_the_stage_is_full_nothing_is_read_and_nothing_is_lost(tmp_path: Path) -> None:
    """Pages of eight entries under six hundred messages in flight: the kernel's buffers wait."""
    shop = Shop(tmp_path, count=10)
    shop.write(journal={"page_entries_max": 8})
    with Server(shop) as server:
        lines = [server.line() for _ in range(10)]
        terminals = [work(server, line, index) for index, line in enumerate(lines)]
        for line, terminal in zip(lines, terminals, strict=True):
            line.send(b"".join(terminal.sale(1) for _ in range(60)))
        for line, terminal in zip(lines, terminals, strict=True):
            for _ in range(60):
                assert terminal.open(line.take())[39] == b"00"
            line.close()
        counters = json.loads(server.ask("stat"))["counters"]
        assert counters["held_rounds"] > 10
        assert counters["entries"] == 610
        assert counters["pending"] == counters["staged"] == 0


def test_the_one_line_of_the_documentation_gives_a_terminal(tmp_path: Path) -> None:
    """serve --init, keys add TID MID, serve, stat: as a stranger types them."""
    home = tmp_path / "shop"
    shop = Shop(home, count=0, extra_tids=["20000001"])
    run("serve", "--init", str(home))
    config = home / "posengine.toml"
    text = config.read_text("utf-8").replace("127.0.0.1:8583", "127.0.0.1:0")
    config.write_text(text.replace("# volume_size_max = 1073741824", "volume_size_max = 16777216"))
    run("keys", "add", "20000001", MID, "--config", str(config), "--tmk-file", "-",
        given=TMK.hex() + "\n")  # fmt: skip
    with Server(shop, environment={"POSENGINE_CPU": "portable"}) as server:
        with server.line() as line:
            terminal = work(server, line)
            ok(terminal, line, terminal.sale(100))
        told = run("stat", "--config", str(config), "--format", "json")
        assert json.loads(told)["counters"]["approved"] == 2
        assert json.loads(told)["cpu_path"] == "portable"
        assert "posengine_entries_total 2" in run("stat", "--config", str(config), "--metrics")
        shown = run("stat", "--config", str(config))
        assert "approved" in shown and re.search("processor path.* portable", shown)
        assert run("stat", "--config", str(config), "--reload") == "reload: ok\n"
    done = subprocess.run(
        [sys.executable, "-m", "posengine.cli", "stat", "--config", str(config)],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 3
    assert "no engine answers" in done.stderr and "Traceback" not in done.stderr


def run(*words: str, given: str = "") -> str:
    done = subprocess.run(
        [sys.executable, "-m", "posengine.cli", *words],
        input=given, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


# ---- ending --------------------------------------------------------------------------------------
def test_sigterm_answers_what_was_sent_and_ends_with_0(server: Server) -> None:
    with server.line() as line:
        terminal = work(server, line)
        requests = [terminal.sale(1) for _ in range(200)]
        line.send(b"".join(requests))
        first = line.take()
        assert server.drain() == 0
        answered = [first]
        try:
            while True:
                answered.append(line.take())
        except (EOFError, ConnectionResetError):
            pass
    server.start()
    facts = json.loads(server.ask("stat"))["counters"]
    assert facts["journal_last_sequence"] == len(answered) + 1  # all entries but the sign-on's


def test_a_drained_engine_accepts_nobody(server: Server) -> None:
    assert server.ask("drain") == "ok\n"
    assert server.process is not None
    assert server.process.wait(timeout=10) == 0
    with pytest.raises(OSError):
        server.line()


def test_the_supervisor_starts_a_killed_engine_again(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.write()
    with Server(shop, arguments=()) as server:
        child = int(re.findall(r"event=engine_started pid=(\d+)", server.log())[-1])
        with server.line() as line:
            terminal = work(server, line)
            request = terminal.sale(1)
            first = ok(terminal, line, request)
        os.kill(child, signal.SIGKILL)
        server.wait_for("event=listening", 2)
        again = int(re.findall(r"port=(\d+)", server.log())[-1])
        with Line("127.0.0.1", again) as line:
            assert line.exchange(request) == first
        assert server.drain() == 0


# ---- the operator --------------------------------------------------------------------------------
def test_reload_takes_new_terminals_and_refuses_broken_files(server: Server) -> None:
    newcomer = server.shop.terminal(0)
    newcomer.tid = "20000001"
    with server.line() as line:
        assert unpack(line.exchange(newcomer.sign_on_frame())[13:])[39] == b"97"
        server.shop.extra_tids.append("20000001")
        server.shop.write_roster()
        assert server.ask("reload") == "ok\n"
        newcomer.sign_on(line)
        (server.shop.home / "roster.toml").write_text("[[terminal]]\ntid = 7\n")
        with pytest.raises(EngineError, match=r"roster\.toml"):
            server.ask("reload")
        ok(newcomer, line, newcomer.sale(1))


def test_sighup_reloads(server: Server) -> None:
    assert server.process is not None
    server.process.send_signal(signal.SIGHUP)
    server.wait_for("event=reloaded")


def test_the_control_socket_tells_counts_metrics_and_locks(server: Server) -> None:
    with server.line() as line:
        terminal = work(server, line)
        ok(terminal, line, terminal.sale(1))
        facts = json.loads(server.ask("stat"))
        assert facts["counters"]["approved"] == 2
        assert facts["stages_ns"]["commit"]["count"] >= 2
        metrics = server.ask("metrics")
        assert "posengine_approved_total 2\n" in metrics
        assert 'posengine_stage_seconds{stage="commit",quantile="0.99"}' in metrics
        assert server.ask(f"lock {terminal.tid}") == "ok\n"
        assert unpack(line.exchange(terminal.sale(1))[13:])[39] == b"58"
        assert server.ask(f"unlock {terminal.tid}") == "ok\n"
        ok(terminal, line, terminal.sale(1))
        with pytest.raises(EngineError, match="no such terminal"):
            server.ask("lock 00000000")
        with pytest.raises(EngineError, match="stat, metrics"):
            server.ask("dance")


def test_the_control_socket_is_for_its_owner_alone(server: Server) -> None:
    assert (server.shop.home / "control.sock").stat().st_mode & 0o777 == 0o600


def test_it_listens_on_several_addresses_of_both_families(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
    shop = Shop(tmp_path)
    shop.write(listen="[::1]:0")
    config = tmp_path / "posengine.toml"
    text = config.read_text("utf-8")
    config.write_text(text.replace('"[::1]:0"', '"127.0.0.1:0", "[::1]:0"'))
    with Server(shop) as server:
        server.wait_for("event=listening", 2)
        for index, (host, port) in enumerate(
            re.findall(r"event=listening host=(\S+) port=(\d+)", server.log())
        ):
            with Line(host, int(port)) as line:
                work(server, line, index)


def test_an_address_that_is_taken_stops_the_start_and_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        shop = Shop(tmp_path)
        shop.write(listen=f"127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(AssertionError, match=r"(?s)ended with 3.*127\.0\.0\.1"):
            Server(shop).start()


# ---- peers that misbehave ------------------------------------------------------------------------
def test_garbage_closes_the_line_and_is_told(server: Server) -> None:
    for data in (
        b"\xff\xff" + bytes(100),  # a length past the limit
        b"\x00\x01\x60",  # too short for anything
        b"\x00\x20" + bytes(32),  # no TPDU
        b"GET / HTTP/1.1\r\n\r\n" * 20,
    ):
        with server.line() as line:
            line.send(data)
            assert is_closed(line), data
    assert server.log().count("event=frame ") == 4
    with server.line() as line:
        work(server, line)


def test_a_thousand_random_frames_stop_nothing(server: Server) -> None:
    """Right length, TPDU and header; behind them whatever chance gives, or a message with a byte
    changed. Each is answered or closes its line; a good terminal is served all the while."""
    dice = random.Random(11)
    with server.line() as good:
        terminal = work(server, good)
        victim = work(server, good, 1)
        for number in range(1_000):
            if number % 2:
                data = frame(dice.randbytes(dice.randrange(300)))
            else:
                changed = bytearray(victim.seal("0200", victim.sale_fields(1)))
                changed[dice.randrange(13, len(changed))] = dice.randrange(256)
                data = bytes(changed)
            with server.line() as line:
                line.send(data)
                is_closed(line)
            if number % 100 == 0:
                ok(terminal, good, terminal.sale(1))
    assert server.process is not None and server.process.poll() is None


def test_a_hostile_length_is_judged_before_its_bytes_come(server: Server) -> None:
    with server.line() as line:
        line.send(struct.pack(">H", 65_535))
        assert is_closed(line)


def test_a_frame_that_comes_byte_by_byte_is_taken(server: Server) -> None:
    with server.line() as line:
        terminal = server.shop.terminal()
        for byte in terminal.sign_on_frame():
            line.send(bytes([byte]))
        terminal.take_keys(terminal.open(line.take()))


def test_a_half_closed_peer_still_gets_its_replies(server: Server) -> None:
    with server.line() as line:
        terminal = work(server, line)
        line.send(terminal.sale(1))
        line.socket.shutdown(socket.SHUT_WR)
        assert terminal.open(line.take())[39] == b"00"
        assert is_closed(line)


def test_a_peer_that_vanishes_with_requests_in_flight_harms_nobody(server: Server) -> None:
    with server.line() as line:
        terminal = work(server, line)
    for _ in range(20):
        with server.line() as line:
            line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            line.send(terminal.sale(1) * 1)
    with server.line() as line:
        ok(terminal, line, terminal.sale(2))


@pytest.fixture
def limited(tmp_path: Path) -> Callable[..., Server]:
    def make(**front: int) -> Server:
        shop = Shop(tmp_path)
        shop.write(front=front)
        return Server(shop)

    return make


def test_slow_frames_and_silent_lines_are_closed(limited: Callable[..., Server]) -> None:
    with limited(frame_s=1, idle_s=3) as server:
        silent, slow = server.line(), server.line()
        with silent, slow:
            slow.send(b"\x00")
            began = time.monotonic()
            assert is_closed(slow)
            assert 0.5 < time.monotonic() - began < 4
            assert is_closed(silent)
        assert "reason=frame_not_whole_in_time" in server.log()
        assert "reason=idle" in server.log()


def test_connections_past_the_limit_are_refused_at_once_and_told(
    limited: Callable[..., Server],
) -> None:
    with limited(connections_max=3) as server:
        lines = [server.line() for _ in range(3)]
        terminal = work(server, lines[0])
        with server.line() as fourth:
            assert is_closed(fourth)
        ok(terminal, lines[0], terminal.sale(1))
        lines.pop().close()
        deadline = time.monotonic() + 5
        while json.loads(server.ask("stat"))["counters"]["connections"] > 2:
            assert time.monotonic() < deadline
        with server.line() as again:
            ok(terminal, again, terminal.sale(1))
        assert "event=connection_refused reason=connections_max" in server.log()
        for line in lines:
            line.close()


def test_a_peer_that_never_reads_is_closed_and_others_are_served(
    limited: Callable[..., Server],
) -> None:
    with limited(out_size_max=8_192, in_flight_max=8) as server:
        greedy, other = server.line(), server.line()
        with greedy, other:
            greedy.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            terminal = work(server, greedy)
            second = work(server, other, 1)
            greedy.socket.setblocking(False)
            sent = 0
            request = terminal.echo()
            deadline = time.monotonic() + 5
            while time.monotonic() < deadline:
                try:
                    sent += greedy.socket.send(request * 50)
                except BlockingIOError:
                    break  # back-pressure reached us: it is not read any more
                except OSError:
                    break  # it was closed
            ok(second, other, second.sale(1))
            assert sent > 0


def test_a_peer_that_reads_late_gets_every_reply(limited: Callable[..., Server]) -> None:
    """The replies fill every buffer on the way; when they are read, the line is read again too."""
    with limited(out_size_max=262_144, in_flight_max=8) as server, server.line() as late:
        request = work(server, late).echo()
        late.socket.settimeout(0.5)
        sent = 0
        with pytest.raises(TimeoutError):
            while True:
                sent += late.socket.send((request * 50)[sent % len(request) :])
        late.socket.settimeout(10)
        asked = -(-sent // len(request))
        missing = (asked * request)[sent:]
        rest = threading.Thread(target=late.send, args=(missing,))
        rest.start()
        replies = [late.take() for _ in range(asked)]
        rest.join()
        assert len(set(replies)) == asked > 200  # each has a reference of its own
