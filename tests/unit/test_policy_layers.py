"""Goal: a policy file says only what differs from the policy that ships.

Method: one setting of each section that a file may touch, and the neighbours that must stay.
"""

from __future__ import annotations

from pathlib import Path

from posengine.roster import Policy


def policy_of(path: Path, text: str) -> Policy:
    path.write_text(text, encoding="utf-8")
    return Policy.load(path)


def test_one_setting_of_a_section_leaves_its_neighbours_as_they_ship(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    shipped = Policy.load()
    changed = policy_of(path, "[answers]\nrequirement_sign_on = 1\n")
    assert changed.requirement_sign_on == 1 and changed.requirement == shipped.requirement
    assert changed.compile() != shipped.compile()
    changed = policy_of(path, '[kinds.SALE]\namount_max = "480.00"\n')
    assert policy_of(path, "").compile() == shipped.compile() != changed.compile()


def test_the_answers_of_a_certification_table_are_replaced_whole(tmp_path: Path) -> None:
    text = '[certification]\nkinds = ["SALE"]\n[certification.answers]\n"07" = "51"\n'
    shipped = '[certification]\nkinds = ["SALE"]\n'
    one = policy_of(tmp_path / "policy.toml", text)
    all_of_them = policy_of(tmp_path / "policy.toml", shipped)
    assert one.certification != all_of_them.certification
    assert len(one.certification) < len(all_of_them.certification)
