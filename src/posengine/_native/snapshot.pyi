def save_state(
    journal_path: bytes,
    state_path: bytes,
    settings: dict[str, int | str],
    entries_min: int,
    is_gentle: bool,
) -> tuple[bool, int, int, int, int, bytes]: ...
def saved_state(state_path: bytes) -> tuple[bool, int, int, int, int, bytes]: ...
