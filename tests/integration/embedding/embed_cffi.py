"""The engine from cffi in ABI mode: one frame in, one commit, one reply out.

    python embed_cffi.py LIBRARY JOURNAL SPEC ROSTER POLICY MASTER_KEY_HEX FRAME_HEX

The declarations are those of `posengine/engine.h`, cut to what this script uses.
"""

import sys
import time
from pathlib import Path

import cffi

DECLARATIONS = """
typedef struct pos_engine pos_engine;
typedef struct pos_bytes { const uint8_t *data; size_t size; } pos_bytes;
typedef struct pos_journal_options {
    bool readonly;
    int durability;
    uint64_t volume_size_max;
    uint32_t page_entries_max;
    uint32_t page_size_max;
    uint32_t cutover_minute;
    int32_t zone_offset_minute;
    uint32_t volumes_max;
    bool keep_pan;
    const uint8_t *master_key;
} pos_journal_options;
typedef struct pos_engine_options {
    const char *journal_path;
    const char *keystore_path;
    const char *state_path;
    pos_journal_options journal;
    pos_bytes spec;
    pos_bytes roster;
    pos_bytes policy;
    pos_bytes downloads;
    uint8_t master_key[32];
    uint32_t terminals_max;
    uint32_t postings_max;
    uint32_t repeats_max;
    uint32_t repeat_window_h;
    uint32_t wave_frames_max;
    uint32_t bad_macs_max;
    uint32_t lock_s;
    void (*log)(void *context, const char *line, size_t size);
    void *log_context;
} pos_engine_options;
typedef struct pos_reply {
    uint64_t line;
    uint64_t sequence;
    const uint8_t *data;
    size_t size;
} pos_reply;
const char *pos_status_text(int status);
int pos_engine_open(const pos_engine_options *options, pos_engine **engine_out);
void pos_engine_close(pos_engine *engine);
int pos_engine_submit(pos_engine *engine, uint64_t line, const uint8_t *frame, size_t size,
                      int64_t now_ns);
int pos_engine_commit(pos_engine *engine);
bool pos_engine_reply(pos_engine *engine, pos_reply *reply_out);
"""

ffi = cffi.FFI()
ffi.cdef(DECLARATIONS)


def main(words: list[str]) -> None:
    """Submit one frame, commit, print the reply as hex."""
    library, journal, spec, roster, policy, master_key, frame_hex = words
    core = ffi.dlopen(library)

    def expect(status: int, what: str) -> None:
        if status != 0:
            sys.exit(f"{what}: {ffi.string(core.pos_status_text(status)).decode()}")

    kept = {name: Path(path).read_bytes() for name, path in
            {"spec": spec, "roster": roster, "policy": policy}.items()}  # fmt: skip
    buffers = {name: ffi.from_buffer(image) for name, image in kept.items()}
    path = ffi.new("char[]", journal.encode())
    options = ffi.new("pos_engine_options *")
    options.journal_path = path
    options.journal.volume_size_max = 8 << 20
    for name, buffer in buffers.items():
        getattr(options, name).data = ffi.cast("const uint8_t *", buffer)
        getattr(options, name).size = len(kept[name])
    options.master_key = list(bytes.fromhex(master_key))
    options.terminals_max, options.postings_max, options.repeats_max = 1024, 4096, 4096

    engine = ffi.new("pos_engine **")
    expect(core.pos_engine_open(options, engine), "open")
    frame = bytes.fromhex(frame_hex)
    expect(core.pos_engine_submit(engine[0], 1, frame, len(frame), time.time_ns()), "submit")
    expect(core.pos_engine_commit(engine[0]), "commit")
    reply = ffi.new("pos_reply *")
    while core.pos_engine_reply(engine[0], reply):
        print(bytes(ffi.buffer(reply.data, reply.size)).hex().upper())
    core.pos_engine_close(engine[0])


if __name__ == "__main__":
    main(sys.argv[1:])
