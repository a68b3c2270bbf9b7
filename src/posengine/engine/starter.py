"""A directory to start from: configuration, master key, one terminal, a policy."""

from __future__ import annotations

import secrets
from pathlib import Path

from posengine.keys import make_master_key
from posengine.settings import SettingsError

CONFIGURATION = """\
# One engine. Paths start from this file's directory. 一个交易引擎的配置；相对路径以本文件目录为准。
# Add a terminal (TID, MID; the TMK is asked for):
#   posengine keys add --config posengine.toml 12345678 104110045110012
# Check all files:  posengine serve --check      Reload them:  posengine stat --reload

[engine]
spec = "unionpay-terminal"    # a shipped dialect (posengine spec list), or a TOML file. 报文方言
# spec_settings = { "frame.tpdu_default" = "6000030000" }  # posengine spec settings
roster = "roster.toml"        # merchants and terminals, .toml or .csv. 商户与终端
policy = "policy.toml"        # what is approved and declined. 授权规则
key_file = "terminals.keys"   # terminal master keys, sealed. 终端主密钥（加密）
master_key = "master.key"     # 64 hex characters, mode 0600; POSENGINE_MASTER_KEY_FILE goes first
# downloads = "downloads"     # a file a network code: 360.txt, 370.hex, 380.hex, ... 参数下载
core_dumps = false            # memory holds keys: leave it false outside of tests

[journal]
path = "journal"              # a directory, made at the first start. 流水
keystore = "working.keys"     # working keys that sign-on makes, sealed. 工作密钥（加密）
durability = "late"           # "late": one flush a commit, LMDB's meta page is flushed by the next;
                              # "full": two flushes. Neither loses what was answered.
# volume_size_max = 1073741824  # bytes of one volume; fixed when the first is made
# volumes_max = 64              # volumes of this journal; unset: as many as the disk holds
# page_entries_max = 4096       # entries of one commit
# page_size_max = 4194304       # bytes of one commit
# keep_pan = true               # keep account numbers, enciphered. 加密保存卡号

[front]
listen = ["127.0.0.1:8583"]   # IPv4 and IPv6: "[::]:8583". 监听地址
control = "control.sock"      # posengine stat asks here
# connections_max = 4096        # more are refused at once, and logged
# in_flight_max = 256           # unanswered messages of one connection before it is not read
# out_size_max = 65536          # bytes of replies that a peer may leave unread
# idle_s = 300                  # a silent connection is closed
# frame_s = 10                  # a frame must be whole so soon after its first byte
# drain_s = 10                  # what is in flight at SIGTERM gets so long

[limits]
# terminals_max = 65536         # memory is taken at start: a few hundred bytes each
# postings_max = 4194304        # what may still be voided, refunded or reversed
# repeats_max = 8388608         # a full table answers 96; it never forgets
# repeat_window_h = 24          # a repeat is remembered at least so long
# wave_frames_max = 1024        # frames that are parsed and authenticated together
# bad_macs_max = 5              # wrong MACs within a minute before a terminal is locked ...
# lock_s = 900                  # ... for so long

[restarts]                    # of the supervisor
# delay_s = 0.2                 # doubled while the engine fails quickly, up to
# delay_s_max = 10.0
# quick_s = 5.0                 # a failure sooner than this after the start is quick
# quick_max = 5                 # so many quick ones in a row: give up

[state]                       # its snapshot, so that a start need not fold the whole journal
# save_every_s = 60             # the supervisor has one made so often; 0: a clean end alone does
# save_entries_min = 100000     # not for fewer entries than these
"""

ROSTER = """\
# Merchants and terminals. 商户与终端
# A terminal can sign on when its TMK is in the key file:
#   posengine keys add --config posengine.toml 12345678 104110045110012

[[merchant]]
mid = "104110045110012"
name = "示例商户"

[[terminal]]
tid = "12345678"
mid = "104110045110012"
# active = true          locked = false       # a locked terminal is answered 58
# no_pinpad = false      test = false         # a test terminal takes test cards alone
# mac = "unionpay-ecb"                        # unset: the dialect's
# amount_max = "50000.00"                     # unset: the policy's
# line_nii = "0000"                           # TPDU origin of sign-on and settlement
# kinds = ["all"]                             # or names: ["SALE", "SALE_VOID", "REVERSAL", ...]
"""

POLICY = """\
# What differs from the policy that ships. 与缺省规则不同之处
[acquirer]
id = "00010000"
organization = "CUP"
"""


def write_starter(directory: Path) -> list[Path]:
    """Write the files of a new engine into ``directory``.

    Returns:
        What was written.

    Raises:
        SettingsError: a file of one of these names is there already; nothing was written.
    """
    texts = {"posengine.toml": CONFIGURATION, "roster.toml": ROSTER, "policy.toml": POLICY}
    for name in [*texts, "master.key"]:
        if (directory / name).exists():
            raise SettingsError(f"{directory / name}: is there already; nothing was written")
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    written = []
    for name, text in texts.items():
        (directory / name).write_text(text, "utf-8")
        written.append(directory / name)
    make_master_key(directory / "master.key", random=secrets.token_bytes)
    return [*written, directory / "master.key"]
