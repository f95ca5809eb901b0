"""No body names a person: golden, examples, every kind through the façade, all that is generated.

The real budgets are scanned where they are loaded, at the end of each acceptance test.
"""

import dataclasses
import typing
from uuid import uuid4

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.examples import EXAMPLES
from ledger.errors import Invalid
from ledger.events import COMMANDS, EVENTS, Command, command_document, plain, read_command
from ledger.personal import is_person_number, names_person, personal_places
from ledger.service import Ledger
from ledger.store.annex import annex_differences, seal
from ledger.terms import PERSONAL, Annex
from tests.golden.golden import FOLDER, stored
from tests.store.conftest import create
from tests.store.test_kinds import every_command
from tests.store.world import Clock, query, submit


def number_of(born: int, century: int, serial: int) -> str | None:
    """An IIN with its check digit, computed here anew; None where the number has none."""
    digits = [int(d) for d in f"{born:06}{century}{serial:04}"]
    for weights in (list(range(1, 12)), [3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2]):
        last = sum(w * d for w, d in zip(weights, digits, strict=True)) % 11
        if last < 10:
            return "".join(map(str, [*digits, last]))
    return None


born = st.builds(lambda y, m, d: y * 10000 + m * 100 + d, st.integers(0, 99), st.integers(1, 12),
                 st.integers(1, 31))  # fmt: skip
numbers = st.builds(number_of, born, st.integers(0, 6), st.integers(0, 9999)).filter(bool)
names = st.text("АӘБВГҒДЕЖЗИКҚЛМНҢОӨПРСТУҰҮФХһІабвгдежзийкabcdeß' -", min_size=6, max_size=60).map(
    lambda text: f"Имя {text}".strip())  # fmt: skip
annexes = st.dictionaries(st.sampled_from(sorted(PERSONAL)), names | numbers, min_size=1)


def scanned(body: bytes) -> list[str]:
    return list(personal_places(orjson.loads(body), PERSONAL))


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*")), ids=lambda path: path.stem)
def test_no_golden_body_names_a_person(path):
    assert scanned(stored(path)) == []


@pytest.mark.parametrize("kind", sorted(EVENTS))
def test_no_example_of_a_kind_names_a_person(kind):
    assert list(personal_places(dict(EVENTS[kind].example), PERSONAL)) == []


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["command"])
def test_no_example_of_a_command_names_a_person_in_its_body(example):
    body = command_document(read_command(example, seal=seal))
    assert list(personal_places(body, PERSONAL)) == []
    for value in example.get("annex", {}).values():
        assert value not in orjson.dumps(body).decode()


def declared(cls: type, seen: frozenset[type] = frozenset()) -> typing.Iterator[tuple[type, str]]:
    """Every field of a declared class and of what it is made of, but for the annex."""
    for field in dataclasses.fields(cls):
        yield cls, field.name
    for hint in typing.get_type_hints(cls).values():
        for part in (hint, *typing.get_args(hint)):
            inner = part if isinstance(part, type) else None
            if inner and dataclasses.is_dataclass(inner) and inner not in {*seen, cls, Annex}:
                yield from declared(inner, seen | {cls})


@pytest.mark.parametrize(
    "cls", [*COMMANDS.values(), *EVENTS.values()], ids=lambda cls: cls.__name__
)
def test_no_class_declares_a_personal_field_outside_the_annex(cls):
    assert [where for where in declared(cls) if where[1] in PERSONAL] == []


def test_every_command_takes_the_same_annex():
    assert all(dataclasses.fields(cls)[7].name == "annex" for cls in COMMANDS.values())
    assert {field.name for field in dataclasses.fields(Annex)} == PERSONAL
    assert {field.name for field in dataclasses.fields(Command)} & PERSONAL == set()


SIDES = [(example, side) for example in EXAMPLES for side in ("payee", "payer", "owner", "actor")
         if side == "actor" or side in {f.name for f in dataclasses.fields(
             COMMANDS[example["command"]])}]  # fmt: skip


@pytest.mark.parametrize(("example", "side"), SIDES, ids=lambda part: str(part)[:40])
def test_a_side_of_a_command_is_never_a_name_or_number_of_a_person(example, side):
    for person in ("Әлия Серікқызы", "Иванов", "John Smith", "850101300124"):
        value = {**example["actor"], "id": person} if side == "actor" else person
        with pytest.raises(Invalid) as caught:
            read_command({**example, side: value}, seal=seal)
        assert caught.value.details["errors"][0]["place"].split(".")[0] == side
        assert person not in str(caught.value.details)


@given(numbers)
def test_a_persons_number_is_known_wherever_it_stands(number):
    assert is_person_number(number)
    for text in (number, f"ИИН {number}.", f"a{number}b"):
        assert names_person(text)
        assert list(personal_places({"a": [{"b": text}]}, PERSONAL)) == ["a.0.b"]
    for text in (number[:11], f"1{number}", f"{number}1", "", "КБК 123"):
        assert not names_person(text)
    wrong = number[:11] + str((int(number[11]) + 1) % 10)
    assert not is_person_number(wrong)


@pytest.mark.parametrize("number", ["990340000385", "060941003456", "000000000000"])
def test_an_organisations_number_is_no_persons(number):
    assert not is_person_number(number)


@given(numbers, names)
def test_the_scan_finds_what_is_planted(number, name):
    for planted in ({"payee_name": name}, {"command": {"official_name": name}},
                    {"lines": [{"title": number}]}, {"annex": {"x": {"payer_name": "ab" * 32}}},
                    {"command": {"annex": {"payee_name": name}}},
                    {"command": {"annex": {"payee_number": number}}}):  # fmt: skip
        assert list(personal_places(planted, PERSONAL))


@pytest.fixture(scope="module")
async def world(server, world_template):
    """A ledger in which every kind of command was posted, each with an annex."""
    dsn = server.dsn(await create(server, world_template))
    async with Ledger(dsn, clock=Clock()) as ledger:
        person = {"payee_name": "Әлия Серікқызы", "official_name": "Қуаныш", "payer_number": "7"}
        asked = [{**document, "annex": person} for document in every_command()]
        for document in asked:
            (answer,) = await submit(ledger, document)
            assert answer.status == "accepted", answer
        yield ledger, dsn
        bodies = [bytes(row["body"]) for row in await query(dsn, "SELECT body FROM ledger.events")]
        assert all(scanned(body) == [] for body in bodies)
        assert await annex_differences(dsn) == []


async def test_every_kind_through_the_facade_leaves_no_person_in_a_body(world):
    _, dsn = world
    rows = await query(dsn, "SELECT kind, body FROM ledger.events")
    assert {row["kind"] for row in rows} >= set(EVENTS) - {"ledger.command.refused"}
    for row in rows:
        assert scanned(row["body"]) == []
        assert "Серікқызы" not in row["body"].decode()
        assert "Қуаныш" not in row["body"].decode()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
async def test_whatever_is_posted_with_an_annex_leaves_no_person_in_a_body(world, data):
    ledger, dsn = world
    document = data.draw(st.sampled_from(every_command()))
    annex = data.draw(annexes)
    command_id = str(uuid4())
    (answer,) = await submit(ledger, {**document, "command_id": command_id, "annex": annex})
    rows = await query(dsn, "SELECT body FROM ledger.events WHERE command_id::text = $1",
                       command_id)  # fmt: skip
    assert bool(rows) is (answer.position is not None)
    for row in rows:
        assert scanned(row["body"]) == []
        text = row["body"].decode()
        assert not [value for value in annex.values() if value in text]
    kept = await query(dsn, "SELECT field, value FROM ledger.annex WHERE command_id::text = $1",
                       command_id)  # fmt: skip
    assert {row["field"]: row["value"] for row in kept} == (annex if rows else {})


def test_a_command_shows_no_value_in_its_text():
    example = {**EXAMPLES[0], "annex": {"official_name": "Қуаныш Бақытұлы"}}
    asked = read_command(example, seal=seal)
    for shown in (repr(asked), str(asked.annex), str(plain(asked)), str(dataclasses.asdict(asked))):
        assert "Қуаныш" not in shown
    assert asked.annex.opened["official_name"][1] == "Қуаныш Бақытұлы"
    with pytest.raises(Invalid):
        read_command(example)
