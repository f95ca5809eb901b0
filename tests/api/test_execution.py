"""The worked example E2 of the shared rules through HTTP, with all its expected answers."""

import pytest

BUDGET = "KZ-2025-e2"
R, P, Q = ["revenue", "1"], ["expenditure", "01"], ["expenditure", "02"]


def month(number: int, thousands: int) -> dict[str, str]:
    return {"month": f"2025-{number:02}", "amount": f"{thousands}000"}


def plan(line, commitments, payments):
    return {"line": line, "commitments": commitments, "payments": payments}


def amount(thousands: int) -> str:
    return f"{thousands}000"


class Told(dict):
    """What was answered to each numbered event of the example."""


QUARTERS = [month(number, 250) for number in (1, 4, 7, 10)]
EXAMPLE: list[tuple[str, str, str, dict]] = [
    ("2024-12-10", "OpenBudget", "treasury",
     {"region": 19, "level": 3, "year": 2025, "title": "E2"}),
    ("2024-12-24", "ApproveBudget", "maslikhat",
     {"effective_from": "2025-01-01", "balance": "0", "lines": [
         {"line": R, "amount": amount(2000)}, {"line": P, "amount": amount(1000)},
         {"line": Q, "amount": amount(1000)}]}),
    ("2025-01-05", "SetPlan", "treasury",
     {"effective_from": "2025-01-05",
      "lines": [plan(line, [month(1, 1000)], QUARTERS) for line in (P, Q)]}),
    ("2025-01-10", "CreditReceipt", "treasury",
     {"line": R, "amount": amount(900), "value_date": "2025-01-10"}),
    ("2025-01-20", "RegisterCommitment", "treasury",
     {"contract": "C1", "line": P, "amount": amount(600), "effective_from": "2025-01-20"}),
    ("2025-02-18", "ExecutePayment", "treasury",
     {"contract": "C1", "line": P, "amount": amount(200), "value_date": "2025-02-18"}),
    ("2025-03-06", "AdjustBudget", "akimat",
     {"effective_from": "2025-03-06",
      "lines": [{"line": P, "change": amount(-100)}, {"line": Q, "change": amount(100)}],
      "plans": [plan(P, [month(3, -100)], [month(10, -100)]),
                plan(Q, [month(3, 100)], [month(10, 100)])]}),
    ("2025-04-10", "AmendBudget", "maslikhat",
     {"effective_from": "2025-01-01", "balance": "0",
      "lines": [{"line": R, "amount": amount(2300)}, {"line": P, "amount": amount(1200)},
                {"line": Q, "amount": amount(1100)}],
      "plans": [plan(P, [month(4, 300)], [month(7, 200), month(10, 100)])],
      "plans_effective_from": "2025-04-10"}),
    ("2025-05-02", "RecoverCashExpenditure", "treasury",
     {"payment": 5, "amount": amount(20), "value_date": "2025-05-02"}),
    ("2025-06-01", "SequesterBudget", "akimat",
     {"effective_from": "2025-06-01", "lines": [{"line": P, "amount": amount(60)}],
      "plans": [plan(P, [month(6, -60)], [month(10, -60)])]}),
    ("2025-07-01", "ExecutePayment", "treasury",
     {"contract": "C1", "line": P, "amount": amount(430), "value_date": "2025-07-01"}),
    ("2025-12-21", "RegisterCommitment", "treasury",
     {"contract": "C2", "line": P, "amount": amount(10), "effective_from": "2025-12-21"}),
]  # fmt: skip
"""The worked example: day, command, capacity, fields; a payment is named by its number here."""


@pytest.fixture(scope="module")
async def told(service, command) -> Told:
    answers = Told()
    for number, (day, name, capacity, fields) in enumerate(EXAMPLE):
        service.clock.set(day)
        paid = fields.get("payment")
        named = {"payment": answers[paid][0]["command_id"]} if paid else {}
        document = command(name, BUDGET, capacity, day, **{**fields, **named})
        answers[number] = (document, await service.post(document))
    answers["position"] = answers[10][1].json()["position"]
    return answers


def thousands(row, *names):
    return tuple(float(row[name]) / 1000 for name in names)


async def rows(service, **asked):
    answer = await service.report(f"/v1/budgets/{BUDGET}/execution", **asked)
    return {tuple(row["line"]): row for row in answer["rows"]}


async def at_least(told) -> str:
    return f"{BUDGET}:{told[11][1].json()['position']}"


async def test_events_1_to_9_are_accepted_and_10_and_11_refused(told):
    assert [told[n][1].status_code for n in range(12)] == [201] * 10 + [409] * 2


async def test_payment_above_the_unused_registration_names_only_that_limit(told):
    problem = told[10][1].json()
    assert (problem["code"], problem["rule"]) == ("limit-exceeded", "I7")
    assert [(limit["limit"], limit["asked"], limit["available"]) for limit in problem["limits"]] \
        == [("unused-registration", "430000.00", "420000.00")]  # fmt: skip


async def test_registration_after_20_december_is_refused(told):
    problem = told[11][1].json()
    assert (problem["code"], problem["rule"]) == ("registration-closed", "I8")
    assert problem["figures"]["last_day"] == "2025-12-20"


async def test_figures_on_the_first_of_july(service, told):
    found = await rows(service, effective="2025-07-01", at_least=await at_least(told))
    names = ("approved", "amended", "adjusted", "plan_payments", "plan_payments_year",
             "plan_commitments", "accepted", "unpaid", "executed")  # fmt: skip
    row = found[tuple(P)]
    assert thousands(row, *names) == (1000, 1200, 1140, 950, 1140, 1140, 600, 420, 180)
    assert (row["percent_of_plan"], row["percent_of_budget"]) == ("18.9", "15.8")
    other = found[tuple(Q)]
    assert thousands(other, "approved", "amended", "adjusted") == (1000, 1100, 1100)
    assert thousands(other, "plan_commitments_year", "plan_payments_year") == (1100, 1100)


@pytest.mark.parametrize(("effective", "known", "p", "q"), [
    ("2025-02-01", "2025-04-01", (1000, 1000, 1000), (1000, 1000, 1000)),
    ("2025-02-01", "2025-04-10", (1000, 1200, 1200), (1000, 1100, 1100)),
    ("2025-02-01", None, (1000, 1200, 1200), (1000, 1100, 1100)),
    ("2025-03-31", "2025-04-01", (1000, 1000, 900), (1000, 1000, 1100)),
    ("2025-03-31", "2025-04-10", (1000, 1200, 1200), (1000, 1100, 1100)),
    ("2025-03-31", "2025-07-01T12:00:00Z", (1000, 1200, 1200), (1000, 1100, 1100)),
])  # fmt: skip
async def test_what_was_known(service, told, effective, known, p, q):
    asked = {"effective": effective, "at_least": await at_least(told)}
    found = await rows(service, **asked, **({"known": known} if known else {}))
    figures = ("approved", "amended", "adjusted")
    assert thousands(found[tuple(P)], *figures) == p
    assert thousands(found[tuple(Q)], *figures) == q


async def test_law_as_adopted_by_a_day_knows_no_later_act(service, told):
    found = await rows(service, effective="2025-07-01", adopted="2025-04-09")
    assert thousands(found[tuple(P)], "approved", "amended", "adjusted") == (1000, 1000, 900)


async def test_balance_and_totals_stand_beside_the_rows(service, told):
    answer = await service.report(
        f"/v1/budgets/{BUDGET}/execution", effective="2025-07-01", at_least=await at_least(told)
    )
    parts = {row["part"]: row for row in answer["identity"]}
    assert thousands(parts["V"], "approved", "amended") == (0, 0)
    totals = {row["line"][0]: row for row in answer["totals"]}
    assert thousands(totals["expenditure"], "amended", "adjusted") == (2300, 2240)
    assert thousands(totals["revenue"], "executed") == (900,)


async def test_equal_questions_give_equal_bytes_and_a_strong_etag(service, told):
    path = f"/v1/budgets/{BUDGET}/execution"
    await service.report(path, at_least=await at_least(told))
    first, second = await service.get(path), await service.get(path)
    assert first.content == second.content
    tag = first.headers["etag"]
    assert tag == second.headers["etag"]
    assert not tag.startswith("W/")
    again = await service.client.get(path, headers={"If-None-Match": f'"other", {tag}'})
    assert (again.status_code, again.content) == (304, b"")


async def test_day_of_the_report_is_the_ledgers_own_unless_given(service, told):
    service.clock.set("2025-12-21")
    answer = await service.report(f"/v1/budgets/{BUDGET}/execution")
    assert answer["effective"] == "2025-12-21"
    service.clock.set("2026-03-01")
    answer = await service.report(f"/v1/budgets/{BUDGET}/execution")
    assert answer["effective"] == "2025-12-31"


async def test_prefix_level_and_dimension_select_rows(service, told):
    at = {"at_least": await at_least(told)}
    assert set(await rows(service, prefix=["expenditure", "02"], **at)) == {tuple(Q)}
    assert set(await rows(service, level=1, **at)) == {("expenditure",), ("revenue",)}
    assert set(await rows(service, by="group", prefix="expenditure", **at)) == {tuple(P), tuple(Q)}


@pytest.mark.parametrize(("asked", "status", "code"), [
    ({"effective": "2025-02-30"}, 422, "invalid-parameter"),
    ({"effective": ["2025-02-01", "2025-02-02"]}, 422, "invalid-parameter"),
    ({"efective": "2025-02-01"}, 422, "unknown-parameter"),
    ({"known": "yesterday"}, 422, "invalid-parameter"),
    ({"known": "a\0"}, 422, "invalid-parameter"),
    ({"level": "0"}, 422, "invalid-parameter"),
    ({"by": "colour"}, 422, "invalid-parameter"),
    ({"prefix": ["x"] * 10}, 422, "invalid-parameter"),
    ({"prefix": "a\0"}, 422, "invalid-parameter"),
    ({"prefix": ["expenditure", "no such group"]}, 404, "unknown-branch"),
    ({"at_least": "1"}, 422, "invalid-parameter"),
    ({"at_least": f"{BUDGET}:999999"}, 422, "not-reached"),
    ({"at_least": "KZ-2025-nowhere:1"}, 404, "unknown-budget"),
])  # fmt: skip
async def test_question_that_cannot_be_read_is_a_problem(service, told, asked, status, code):
    answer = await service.get(f"/v1/budgets/{BUDGET}/execution", **asked)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_report_of_no_budget_is_not_found(service, told):
    for code in ("KZ-2025-nowhere", "rulebook"):
        answer = await service.get(f"/v1/budgets/{code}/execution")
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown-budget")
