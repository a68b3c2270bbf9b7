"""Goal: every status of the core has its exception, and the other way round.

Method: the two lists, compared.
"""

from posengine._native import status
from posengine.errors import BY_STATUS


def test_every_status_has_one_exception_with_the_same_owner() -> None:
    core = {name: whose for name, whose, _ in status.statuses() if name != "OK"}
    assert core == {name: error.whose for name, error in BY_STATUS.items()}
