"""The republican and the oblast budget of 2025 as commands: the acts' own figures, exactly."""

import filecmp
from decimal import Decimal
from pathlib import Path

from api.load.run import _openings

ROOT = Path(__file__).parents[2]
FOLDERS = ("kz-republican-budget-2025", "kz-almaty-oblast-budget-2025")


def _thousand(amount: str) -> Decimal:
    return Decimal(amount) / 1000


def _of(plan, name: str) -> list[dict]:
    return [c.document for c in plan.prepared if c.document["command"] == name]


def _sum(document: dict, section: str) -> Decimal:
    return sum(_thousand(p["amount"]) for p in document["lines"] if p["line"][0] == section)


def test_the_republican_law_is_one_approval_with_its_official_totals(read) -> None:
    plan, report = read("kz-republic-2025")
    [law] = _of(plan, "ApproveBudget")
    assert _sum(law, "revenue") == 21_392_054_673
    assert _sum(law, "expenditure") == 25_193_022_392
    assert _sum(law, "budget_credit") - _sum(law, "credit_repayment") == 252_140_981
    assert _sum(law, "financial_asset_purchase") - _sum(law, "financial_asset_sale") == 46_891_300
    assert _thousand(law["balance"]) == -4_100_000_000
    assert _sum(law, "financing") == 4_100_000_000
    expenditure = [p["line"] for p in law["lines"] if p["line"][0] == "expenditure"]
    assert len(expenditure) == 225
    assert len({line[2] for line in expenditure}) == 39
    assert {len(line) for line in expenditure} == {4}
    assert not report.bad_rows
    assert all(control.holds for control in report.controls)
    assert len(report.controls) == 11


def test_the_laws_own_totals_travel_with_the_approval(read) -> None:
    plan, _ = read("kz-republic-2025")
    [law] = _of(plan, "ApproveBudget")
    totals = {tuple(t["line"]): _thousand(t["amount"]) for t in law["totals"]}
    assert totals["expenditure",] == 25_193_022_392
    assert totals["expenditure", "15"] == 5_774_300_885
    assert totals["revenue", "4", "04"] == 5_250_000_000
    assert len(totals) == 138 + 5  # levels 1 and 2 of the annex, and the sections of article 1


def test_zero_lines_are_lines(read) -> None:
    plan, _ = read("kz-republic-2025")
    [law] = _of(plan, "ApproveBudget")
    zero = [p["line"] for p in law["lines"] if p["amount"] == "0.00"]
    assert zero == [["financial_asset_sale", "6", "01", "1"]]


def test_transfers_of_the_republics_act(read) -> None:
    plan, _ = read("kz-republic-2025")
    sums = {}
    for document in _of(plan, "SetTransfer"):
        assert document["budget"] == "KZ-2025-republic"
        key = document["transfer"], document["side"]
        sums[key] = sums.get(key, 0) + _thousand(document["amount"])
    assert sums == {("withdrawal", "receives"): 504_192_231, ("subvention", "pays"): 5_774_300_885}
    almaty = [d for d in _of(plan, "SetTransfer") if d["peer"] == "KZ-2025-oblast-19"]
    assert [_thousand(d["amount"]) for d in almaty] == [203_587_891]


def test_exempt_lists_of_the_law(read) -> None:
    plan, _ = read("kz-republic-2025")
    republic, local = _of(plan, "SetExemptList")
    assert (republic["budget"], len(republic["entries"])) == ("KZ-2025-republic", 16)
    assert republic["entries"][-1] == {
        "line": ["expenditure", "06", "213", "027", "142"], "name": "Выплата пенсий и пособий",
    }  # fmt: skip
    assert (local["budget"], local["levels"], len(local["entries"])) == ("rulebook", [2, 3, 4], 12)
    assert not any("line" in entry for entry in local["entries"])


def test_every_budget_that_is_named_is_opened_once_and_its_parent_first(read, mapping) -> None:
    plan, _ = read("kz-republic-2025")
    opened = [c.document for c in _openings(mapping("kz-republic-2025"), plan)]
    assert [d["budget"] for d in opened][:2] == ["KZ-2025-republic", "KZ-2025-oblast-10"]
    assert len({d["region"] for d in opened}) == len(opened) == 21
    named = {d["peer"] for d in _of(plan, "SetTransfer")} | {"KZ-2025-republic"}
    assert {d["budget"] for d in opened} == named


def test_two_mappings_open_the_same_budget_by_the_same_command(read, mapping) -> None:
    def opened(name: str) -> dict[str, dict]:
        plan, _ = read(name)
        return {c.document["budget"]: c.attempt() for c in _openings(mapping(name), plan)}

    republic, oblast = opened("kz-republic-2025"), opened("kz-almaty-oblast-2025")
    assert republic.keys() & oblast.keys() == {"KZ-2025-republic", "KZ-2025-oblast-19"}
    for code in republic.keys() & oblast.keys():
        assert republic[code] == oblast[code]


def test_the_oblast_is_approved_once_and_amended_by_each_later_redaction(read) -> None:
    plan, _ = read("kz-almaty-oblast-2025")
    acts = _of(plan, "ApproveBudget") + _of(plan, "AmendBudget")
    assert [(d["command"], d["act"]["date"], _sum(d, "revenue")) for d in acts] == [
        ("ApproveBudget", "2024-12-18", 809_767_084),
        ("AmendBudget", "2025-06-05", 832_575_196),
        ("AmendBudget", "2025-07-31", 846_696_624),
    ]
    assert {d["effective_from"] for d in acts} == {"2025-01-01"}
    assert all(d["reason"] and d["act"]["id"] for d in acts)
    for act in acts:
        lending = _sum(act, "budget_credit") - _sum(act, "credit_repayment")
        rest = _sum(act, "revenue") - _sum(act, "expenditure") - lending
        assert rest - _sum(act, "financial_asset_purchase") == _thousand(act["balance"])


def test_the_oblasts_acts_state_the_subvention_that_drifts_from_the_republics(read) -> None:
    plan, _ = read("kz-almaty-oblast-2025")
    stated = [_thousand(d["amount"]) for d in _of(plan, "SetTransfer")
              if d["peer"] == "KZ-2025-republic"]  # fmt: skip
    assert [amount - 203_587_891 for amount in stated] == [0, -20_300_000, -10_179_395]


def test_the_oblasts_decision_names_its_rayons(read) -> None:
    plan, _ = read("kz-almaty-oblast-2025")
    rayons = [d for d in _of(plan, "SetTransfer") if d["peer"] != "KZ-2025-republic"]
    sums = {}
    for document in rayons:
        sums[document["side"]] = sums.get(document["side"], 0) + _thousand(document["amount"])
    assert len({d["peer"] for d in rayons}) == 10
    assert sums == {"receives": 297_786_732, "pays": 9_589_717}


def test_the_shipped_example_is_the_source_byte_for_byte(data: Path) -> None:
    for folder in FOLDERS:
        shipped = ROOT / "deploy" / "data" / folder
        names = sorted(p.name for p in shipped.iterdir())
        assert filecmp.cmpfiles(shipped, data / folder, names, shallow=False) == (names, [], [])
