"""The binding: one Cython module a subject. It translates between the core and Python, no more."""
