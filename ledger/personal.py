"""What a person is recognised by in a text: the net under the rule that no body names a person.

The rule itself is `terms.Annex`: what it lists is personal and never stands in a body. A number
that gives a person away wherever it stands is found here: the Kazakh ЖСН / ИИН (IIN). The БСН /
БИН of an organisation has twelve digits too, but its fifth digit is 4, 5 or 6, where an IIN has
the tens of a day of birth (Law of the RK of 12 January 2007 No 223-III, on national registers).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

COMMITMENT = re.compile("[0-9a-f]{64}")
"""What stands in a body for a personal value: SHA-256 in hex."""
_TWELVE = re.compile(r"(?<![0-9])[0-9]{12}(?![0-9])", re.ASCII)
_MONTHS, _DAYS, _CENTURIES = range(1, 13), range(1, 32), range(7)
_WEIGHTS = (range(1, 12), (3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2))


def is_person_number(text: str) -> bool:
    """Tell whether a text is a Kazakh IIN: a date of birth, a century and the right last digit."""
    if not _TWELVE.fullmatch(text):
        return False
    month, day, century = int(text[2:4]), int(text[4:6]), int(text[6])
    if month not in _MONTHS or day not in _DAYS or century not in _CENTURIES:
        return False
    for weights in _WEIGHTS:
        digit = sum(w * int(d) for w, d in zip(weights, text, strict=False)) % 11
        if digit < 10:  # noqa: PLR2004 - a check digit, else the second row of weights
            return digit == int(text[11])
    return False


def names_person(text: str) -> bool:
    """Tell whether a person's number stands in a text."""
    return any(is_person_number(found) for found in _TWELVE.findall(text))


def personal_places(document: Any, fields: frozenset[str], place: str = "") -> Iterator[str]:
    """Yield the places of a JSON body where a personal field or a person's number stands.

    `fields` are the names of `terms.Annex`; below `annex` they hold commitments and nothing else.
    """
    if isinstance(document, dict):
        for name, value in document.items():
            here = f"{place}.{name}" if place else name
            if name in fields and not (
                place.rsplit(".", maxsplit=1)[-1] == "annex" and COMMITMENT.fullmatch(str(value))
            ):
                yield here
            yield from personal_places(value, fields, here)
    elif isinstance(document, list):
        for number, value in enumerate(document):
            yield from personal_places(value, fields, f"{place}.{number}")
    elif (
        isinstance(document, str) and not COMMITMENT.fullmatch(document) and names_person(document)
    ):
        yield place
