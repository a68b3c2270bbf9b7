ENTRY_FIELDS: tuple[str, ...]
