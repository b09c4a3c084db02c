"""Answers kept by what was asked: one asker at a time, an end to everything, and never more bytes than allowed."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from gitbridge_console.store.answer_cache import AnswerCacheStore
from gitbridge_console.store.keys import Keys

pytestmark = pytest.mark.anyio


@pytest.fixture
def cache(client: Redis, namespace: str) -> AnswerCacheStore:
    return AnswerCacheStore(client, Keys(namespace).cache)


async def keep(cache: AnswerCacheStore, key: str, answer: bytes, holder: str = "one", max_bytes: int = 10_000) -> bool:
    return await cache.keep(key, holder, answer, ttl_s=60, max_bytes=max_bytes)


async def test_the_first_asks_and_the_second_learns_how_long_it_may_take(cache: AnswerCacheStore) -> None:
    assert await cache.look("k", "one", 30) == 0.0
    left_s = await cache.look("k", "two", 30)
    assert isinstance(left_s, float)
    assert 29 < left_s <= 30
    assert await cache.look("other", "two", 30) == 0.0


async def test_who_asks_already_may_ask_again(cache: AnswerCacheStore) -> None:
    await cache.look("k", "one", 30)
    assert await cache.look("k", "one", 30) == 0.0


async def test_an_answer_is_there_for_all_and_the_question_is_free(cache: AnswerCacheStore) -> None:
    await cache.look("k", "one", 30)
    assert await keep(cache, "k", b"the answer" * 100)
    assert await cache.look("k", "two", 30) == b"the answer" * 100


async def test_a_question_nothing_came_of_is_free_for_the_next_but_only_its_holder_frees_it(cache: AnswerCacheStore) -> None:
    await cache.look("k", "one", 30)
    await cache.free("k", "two")
    assert await cache.look("k", "two", 30) != 0.0
    await cache.free("k", "one")
    assert await cache.look("k", "two", 30) == 0.0


async def test_everything_has_an_end(cache: AnswerCacheStore, client: Redis, namespace: str) -> None:
    tag = Keys(namespace).cache
    await cache.look("k", "one", 30)
    assert 29_000 < await client.pttl(f"{tag}:l:k") <= 30_000
    await keep(cache, "k", b"x")
    await cache.keep("shorter", "one", b"y", ttl_s=5, max_bytes=10_000)
    for books in (":a:k", ":n", ":b"):
        assert 59_000 < await client.pttl(tag + books) <= 60_000, "the books live as long as the answer that lives longest"


async def test_answers_whose_time_is_over_leave_the_count_when_the_next_is_kept(
    cache: AnswerCacheStore, client: Redis, namespace: str
) -> None:
    await keep(cache, "old", b"x" * 50)
    await client.delete(f"{Keys(namespace).cache}:a:old")
    await client.zadd(f"{Keys(namespace).cache}:n", {"old": 1}, xx=True)
    await keep(cache, "new", b"y" * 10)
    assert await cache.size() == (1, 11)


async def test_an_answer_kept_anew_after_the_old_one_ended_is_counted_once_and_stays(
    cache: AnswerCacheStore, client: Redis, namespace: str
) -> None:
    tag = Keys(namespace).cache
    await keep(cache, "k", b"x" * 50)
    await client.delete(f"{tag}:a:k")
    await client.zadd(f"{tag}:n", {"k": 1}, xx=True)
    await keep(cache, "k", b"y" * 20)
    assert await cache.size() == (1, 21)
    await keep(cache, "other", b"z" * 5)
    assert await cache.look("k", "two", 30) == b"y" * 20
    assert await cache.size() == (2, 27)


async def test_what_does_not_fit_at_all_is_not_kept_and_drives_nothing_out(cache: AnswerCacheStore) -> None:
    await keep(cache, "small", b"x", max_bytes=100)
    assert not await keep(cache, "big", os.urandom(200), max_bytes=100)
    assert await cache.look("small", "two", 30) == b"x"


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 400)), max_size=25), st.integers(0, 700))
async def test_there_are_never_more_bytes_than_allowed_and_they_are_counted_right(
    cache: AnswerCacheStore, client: Redis, namespace: str, kept: list[tuple[str, int]], max_bytes: int
) -> None:
    tag = Keys(namespace).cache
    if stale := await client.keys(f"{tag}:*"):
        await client.delete(*stale)
    for key, size in kept:
        await keep(cache, key, os.urandom(size), max_bytes=max_bytes)
        names = await client.keys(f"{tag}:a:*")
        stored = sum([await client.strlen(name) for name in names])
        assert stored <= max_bytes
        assert await cache.size() == (len(names), stored)
