"""Which dead letters the store gives up."""

from __future__ import annotations

from gitbridge_console.domain.dead_letters import DeadLetter, DeadLetters, beyond_retention

DAY_MS = 86_400_000
NOW = 100 * DAY_MS


def found(total: int, *ages_days: float) -> DeadLetters:
    return DeadLetters(NOW, total, tuple(DeadLetter(f"{n:010x}", int(NOW - age * DAY_MS)) for n, age in enumerate(ages_days)))


def ids(letters: DeadLetters, *, most: int = 1000, longest_s: float = 30 * 86_400.0) -> list[int]:
    return [int(letter.event_id, 16) for letter in beyond_retention(letters, most=most, longest_s=longest_s)]


def test_within_both_bounds_all_stay() -> None:
    assert ids(found(3, 29.9, 5, 1)) == []
    assert ids(found(1000, *[1] * 200)) == []
    assert ids(found(0)) == []


def test_over_the_number_the_oldest_go_and_a_little_room_is_made() -> None:
    assert ids(found(1001, *[1] * 200)) == list(range(51))


def test_no_more_go_than_were_looked_at() -> None:
    assert ids(found(50_000, *[1] * 200)) == list(range(200))


def test_over_the_age_the_oldest_go_with_those_that_are_nearly_as_old() -> None:
    assert ids(found(4, 31, 28.6, 28.4, 1)) == [0, 1]


def test_no_age_is_for_ever() -> None:
    assert ids(found(2, 99, 98), longest_s=0) == []
