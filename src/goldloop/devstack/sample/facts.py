"""What the ``$names`` in the material stand for, and when things happen."""

import math
from datetime import UTC, datetime, timedelta
from string import Template
from typing import Any

from goldloop.devstack.sample.chance import Chance
from goldloop.devstack.sample.material import Person

START = datetime(2026, 11, 2, tzinfo=UTC)
DAYS = 14

# Requests by hour of the day (UTC): few at night, a peak before noon and one after dinner.
_BY_HOUR = (2, 1, 1, 1, 1, 3, 7, 13, 22, 29, 32, 29, 23, 22, 22, 21, 21, 23, 27, 32, 30, 20, 10, 4)
_WEEKEND = 0.55
_SATURDAY = 5


def moments(count: int) -> list[datetime]:
    """``count`` times from START on, ascending, dense where people are awake."""
    hours = [START + timedelta(hours=hour) for hour in range(DAYS * 24)]
    weights = [_BY_HOUR[hour.hour] * (_WEEKEND if hour.weekday() >= _SATURDAY else 1.0) for hour in hours]
    step = math.fsum(weights) / count  # sum() adds floats differently from Python 3.12 on
    times, at, passed = [], 0, 0.0
    for n in range(count):
        target = (n + 0.5) * step
        while passed + weights[at] < target:
            passed += weights[at]
            at += 1
        times.append(hours[at] + timedelta(seconds=int(3600 * (target - passed) / weights[at])))
    return times


def facts(chance: Chance, person: Person, when: datetime) -> dict[str, str]:
    """The value of each ``$name`` for one scene."""
    order = chance.digits("order", 5)
    refund = chance.pick("refund", ("1,939.00", "2,239.00", "3,150.00", "1,890.00", "4,290.00"))
    values = {
        "name": person.name,
        "first": person.name.split()[0],
        "city": person.city,
        "order": f"ML-{order}",
        "order_wrong": f"ML-{_swapped(order)}",
        "frame": f"MW{chance.digits('frame', 8)}",
        "case": chance.digits("case", 5),
        "refund": refund,
        "amount": f"€{refund}",
    }
    for days in range(1, 15):
        values |= _day(f"in{days}", _ahead(when, days)) | _day(f"ago{days}", _before(when, days))
    return values


def fill(value: Any, values: dict[str, str]) -> Any:
    """``value`` with every ``$name`` in its texts replaced.

    Raises:
        KeyError: a name that is not among the values.
    """
    match value:
        case str():
            return Template(value).substitute(values)
        case list():
            return [fill(each, values) for each in value]
        case dict():
            return {key: fill(each, values) for key, each in value.items()}
        case _:
            return value


def _day(name: str, day: datetime) -> dict[str, str]:
    return {name: f"{day.day} {day:%B}", f"{name}_day": f"{day:%A}", f"{name}_iso": f"{day:%Y-%m-%d}"}


def _ahead(when: datetime, working_days: int) -> datetime:
    day = when
    while working_days:
        day += timedelta(days=1)
        working_days -= day.weekday() < _SATURDAY
    return day


def _before(when: datetime, days: int) -> datetime:
    """``days`` ago, or the Friday before where that is a weekend: nothing is sent or delivered then."""
    day = when - timedelta(days=days)
    return day - timedelta(days=max(0, day.weekday() - _SATURDAY + 1))


def _swapped(digits: str) -> str:
    """The last two neighbours that differ, the wrong way round."""
    for n in range(len(digits) - 1, 0, -1):
        if digits[n] != digits[n - 1]:
            return digits[: n - 1] + digits[n] + digits[n - 1] + digits[n + 1 :]
    return digits[:-1] + str((int(digits[-1]) + 1) % 10)
