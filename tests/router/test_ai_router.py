"""Who may be asked, who should be, and why."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbridge_console.domain.failures import Failure, FailureClass
from gitbridge_console.router.ai_router import AIRouter
from gitbridge_console.router.lane_room import takes_at_once
from gitbridge_console.settings.model import Settings
from tests.router.conftest import Silent

POLICY = Settings().kinds["code_review"]


def fail(router: AIRouter, name: str, cls: FailureClass, times: int = 1, **more: Any) -> None:
    for _ in range(times):
        call = router.begin(name, 50)
        assert call is not None
        router.failed(call, Failure(cls, "x", **more))


def answer(router: AIRouter, name: str, latency_s: float, times: int = 1) -> None:
    for _ in range(times):
        call = router.begin(name, 50)
        assert call is not None
        router.succeeded(call, latency_s)


def test_preferred_providers_get_the_seats_and_the_reserve_none(router: AIRouter) -> None:
    selection = router.select(POLICY)
    assert selection.lanes == ("claude", "grok")
    assert selection.reasons[0].startswith("claude: chosen")
    assert selection.reasons[2].startswith("chatgpt: not needed")


def test_a_preferred_provider_that_is_much_slower_loses_its_seat(router: AIRouter) -> None:
    answer(router, "claude", 20.0, 5)
    answer(router, "chatgpt", 1.0, 5)
    assert set(router.select(POLICY).lanes) == {"grok", "chatgpt"}


def test_errors_weigh_and_are_forgotten_with_time(router: AIRouter, clock: Any) -> None:
    before = router.score("grok", POLICY)
    fail(router, "grok", FailureClass.TRANSIENT, 4)
    assert router.score("grok", POLICY) > 3 * before
    clock.now = 300.0
    assert router.score("grok", POLICY) == pytest.approx(before, rel=0.01)


def test_load_weighs_against_the_limit(router: AIRouter) -> None:
    before = router.score("grok", POLICY)
    for _ in range(8):
        router.begin("grok", 50)
    assert router.score("grok", POLICY) == pytest.approx(2 * before)


@pytest.mark.parametrize("cls", [FailureClass.QUOTA, FailureClass.CREDENTIAL, FailureClass.MODEL_GONE])
def test_what_only_a_person_can_mend_disables_and_is_said(router: AIRouter, cls: FailureClass) -> None:
    fail(router, "claude", cls)
    gate = router.gate("claude")
    assert not gate.open
    assert gate.retry_in_s is None
    assert router.select(POLICY).lanes == ("grok", "chatgpt")
    assert router.describe("claude")["state"] == "disabled"


def test_five_failures_in_a_row_open_the_breaker_and_it_says_when_it_looks_again(router: AIRouter, clock: Any) -> None:
    fail(router, "grok", FailureClass.TRANSIENT, 5)
    gate = router.gate("grok")
    assert gate.retry_in_s is not None
    assert not gate.open
    assert 12.0 <= gate.retry_in_s <= 18.0
    assert router.begin("grok", 50) is None
    assert router.describe("grok")["state"] == "open"
    clock.now = gate.retry_in_s
    assert router.gate("grok").open
    router.begin("grok", 50)
    assert router.describe("grok")["state"] == "half_open"


def test_what_a_stalled_loop_does_to_many_calls_at_once_is_held_against_nobody_more_than_once(settings: Settings, clock: Any) -> None:
    router = AIRouter(settings, {name: Silent() for name in settings.providers}, clock=clock, lag_s=lambda: 3.0)
    fail(router, "grok", FailureClass.SILENT, 20)
    assert router.gate("grok").open
    assert router.describe("grok")["breaker"]["failures"] == 1
    for _ in range(4):
        clock.now += 0.3
        fail(router, "grok", FailureClass.SILENT, 1)
    assert not router.gate("grok").open


def test_a_provider_that_just_came_back_gets_a_growing_share(router: AIRouter, settings: Settings, clock: Any) -> None:
    policy = settings.kinds["code_review"]
    for _ in range(3):
        call = router.begin("grok", 50)
        assert call is not None
        router.succeeded(call, 1.0)
    usual = router.score("grok", policy)
    fail(router, "grok", FailureClass.TRANSIENT, 5)
    clock.now += 1000.0
    for _ in range(2):
        call = router.begin("grok", 50)
        assert call is not None
        router.succeeded(call, 1.0)
    shares = []
    for later in (0.0, 15.0, 15.0):
        clock.now += later
        shares.append(round(router.score("grok", policy) / usual, 1))
    assert shares == [4.0, 2.0, 1.0]


def test_a_rate_limit_closes_the_gate_and_a_shorter_one_never_opens_it_earlier(router: AIRouter, clock: Any) -> None:
    first, second = router.begin("claude", 50), router.begin("claude", 50)
    assert first is not None
    assert second is not None
    router.failed(first, Failure(FailureClass.RATE_LIMIT, "x", retry_after_s=60.0))
    router.failed(second, Failure(FailureClass.RATE_LIMIT, "x", retry_after_s=1.0))
    assert router.gate("claude").retry_in_s == 60.0
    assert router.describe("claude")["state"] == "limited"
    clock.now = 60.0
    assert router.gate("claude").open


def test_a_half_open_circuit_has_one_task_in_hand_that_was_not_asked_yet(router: AIRouter, clock: Any) -> None:
    assert router.slots("grok", 3) == router.states["grok"].concurrency.limit
    for _ in range(5):
        call = router.begin("grok", 1.0)
        assert call is not None
        router.failed(call, Failure(FailureClass.TRANSIENT, "502"))
    assert 12.0 <= router.gate("grok").shut_for_s <= 18.0
    clock.now = 19.0
    assert (router.gate("grok").shut_for_s, router.slots("grok", 0), router.slots("grok", 1)) == (0.0, 1, 1)
    probe = router.begin("grok", 1.0)
    assert probe is not None
    assert router.gate("grok").shut_for_s > 0
    router.succeeded(probe, 0.1)
    assert (router.gate("grok").shut_for_s, router.slots("grok", 0)) == (0.0, 1), "one success is not two"
    assert router.slots("nobody", 0) == 0


def test_a_paused_provider_keeps_its_own_seats_and_gets_no_others(router: AIRouter) -> None:
    router.paused = frozenset({"claude", "chatgpt"})
    assert "claude" in router.select(POLICY).lanes
    fail(router, "grok", FailureClass.CREDENTIAL)
    assert router.select(POLICY).lanes == ("claude",)
    assert router.candidates(POLICY, exclude=["claude"]) == []


def test_one_vendor_twice_is_not_two_votes(settings: Settings, clock: Any) -> None:
    own = settings.providers["claude"].model_copy(update={"vendor": "one"})
    both = settings.model_copy(update={"providers": {**settings.providers, "claude": own, "grok": own}})
    router = AIRouter(both, {name: object() for name in both.providers}, clock=clock)  # type: ignore[misc]
    assert router.select(POLICY).lanes == ("claude", "chatgpt")


def test_without_a_key_nobody_is_chosen_and_every_reason_is_given(settings: Settings) -> None:
    router = AIRouter(settings, {name: f"no key: set {name.upper()}" for name in settings.providers})
    selection = router.select(POLICY)
    assert selection.lanes == ()
    assert selection.reasons == ("claude: no key: set CLAUDE", "grok: no key: set GROK", "chatgpt: no key: set CHATGPT")
    assert router.describe("claude")["state"] == "no_key"


def test_who_cannot_read_so_much_gets_no_seat_and_takes_none_over(settings: Settings, clock: Any) -> None:
    small = settings.providers["grok"].model_copy(update={"context_tokens": 20_000, "max_output_tokens": 4_000})
    mixed = settings.model_copy(update={"providers": {**settings.providers, "grok": small}})
    router = AIRouter(mixed, {name: object() for name in mixed.providers}, clock=clock)  # type: ignore[misc]
    assert router.select(POLICY, tokens=16_000).lanes == ("claude", "grok")
    selection = router.select(POLICY, tokens=16_001)
    assert selection.lanes == ("claude", "chatgpt")
    assert selection.reasons[1] == "grok: about 16,001 tokens and 4,000 of answer do not fit its context of 20,000"
    assert not selection.too_large
    assert router.candidates(POLICY, ["claude"], tokens=16_001) == ["chatgpt"]
    assert router.select(POLICY, tokens=10**7).too_large


def test_unknown_and_switched_off_providers_are_never_asked(router: AIRouter) -> None:
    assert router.gate("nobody").reason == "not configured"
    router.states["grok"].settings = router.states["grok"].settings.model_copy(update={"enabled": False})
    assert "grok" not in router.select(POLICY).lanes
    assert router.describe("grok")["state"] == "disabled"


def test_a_cancelled_call_counts_for_nothing(router: AIRouter) -> None:
    before = router.score("claude", POLICY)
    call = router.begin("claude", 50)
    assert call is not None
    router.cancelled(call)
    assert router.score("claude", POLICY) == before


def test_a_provider_much_slower_than_usual_is_called_slow(router: AIRouter) -> None:
    answer(router, "claude", 1.0, 20)
    answer(router, "claude", 9.0, 4)
    assert router.describe("claude")["state"] == "slow"


@pytest.mark.anyio
async def test_new_settings_keep_what_did_not_change(router: AIRouter, settings: Settings) -> None:
    answer(router, "claude", 3.0)
    kept, replaced = router.states["claude"], router.states["grok"]
    providers = dict(settings.providers)
    providers["grok"] = providers["grok"].model_copy(update={"model": "grok-next"})
    del providers["chatgpt"]
    new = settings.model_copy(update={"providers": providers})
    assert await router.apply(new, settings, lambda name, own: "no key") == ["chatgpt"]
    assert router.states["claude"] is kept
    assert router.states["grok"] is not replaced
    assert set(router.states) == {"claude", "grok"}


@given(
    st.lists(
        st.tuples(st.sampled_from(["claude", "grok", "chatgpt"]), st.sampled_from([None, *FailureClass][:12]), st.floats(0, 20)),
        max_size=40,
    )
)
def test_whatever_happened_nothing_is_in_flight_after_and_panels_have_no_doubles(
    steps: list[tuple[str, FailureClass | None, float]],
) -> None:
    settings, now = Settings(), [0.0]
    router = AIRouter(settings, {name: object() for name in settings.providers}, clock=lambda: now[0])  # type: ignore[misc]
    for name, cls, later in steps:
        now[0] += later
        call = router.begin(name, 50)
        if call is None:
            continue
        if cls is None:
            router.succeeded(call, later)
        else:
            router.failed(call, Failure(cls, "x"))
    lanes = router.select(POLICY).lanes
    assert len(set(lanes)) == len(lanes) <= POLICY.seats
    assert all(state.in_flight == 0 for state in router.states.values())


class Closing:
    """A client that says when it is closed."""

    name = model = "closing"
    closed = False

    async def aclose(self) -> None:
        self.closed = True


def with_model(settings: Settings, name: str, model: str) -> Settings:
    own = settings.providers[name].model_copy(update={"model": model})
    return settings.model_copy(update={"providers": {**settings.providers, name: own}})


@pytest.mark.anyio
async def test_a_client_that_is_replaced_is_closed_when_its_last_call_has_ended(settings: Settings) -> None:
    clients = {name: Closing() for name in settings.providers}
    router = AIRouter(settings, clients)  # type: ignore[arg-type]
    first, second = router.begin("grok", 50), router.begin("grok", 50)
    assert first is not None
    assert second is not None
    await router.apply(with_model(settings, "grok", "next"), settings, lambda name, own: Closing())  # type: ignore[arg-type, return-value]
    assert router.states["grok"].provider is not clients["grok"]
    router.succeeded(first, 1.0)
    await router.close_retired()
    assert not clients["grok"].closed
    router.cancelled(second)
    await router.close_retired()
    assert clients["grok"].closed
    assert not clients["claude"].closed


@pytest.mark.anyio
async def test_a_client_that_cannot_be_built_leaves_the_old_one_until_it_can_and_is_said_once(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    router = AIRouter(settings, {name: Closing() for name in settings.providers})  # type: ignore[misc]
    new = with_model(settings, "grok", "next")

    def refuse(name: str, own: Any) -> Any:
        raise RuntimeError("no such SDK")

    await router.apply(new, settings, refuse)
    await router.retry(new, refuse)
    assert router.gate("grok").open
    assert router.holding() == settings.providers
    assert router.unbuilt == {"grok": "its client cannot be built: no such SDK"}
    assert [record.getMessage() for record in caplog.records] == ["grok: its client cannot be built: no such SDK; it is tried again"]
    kept = router.states["claude"]
    await router.retry(new, lambda name, own: Closing())  # type: ignore[arg-type, return-value]
    assert (router.unbuilt, router.holding()) == ({}, new.providers)
    assert router.states["claude"] is kept


@pytest.mark.anyio
async def test_leaving_closes_every_client_whatever_one_of_them_says(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    class Stubborn(Closing):
        async def aclose(self) -> None:
            raise OSError("the connection is gone")

    clients = {name: Stubborn() if name == "claude" else Closing() for name in settings.providers}
    await AIRouter(settings, clients).aclose()  # type: ignore[arg-type]
    assert [name for name, client in clients.items() if not client.closed] == ["claude"]
    assert "client of claude could not be closed" in caplog.text


def test_the_limit_on_calls_at_once_adapts_to_what_comes_back(router: AIRouter) -> None:
    limit = router.states["grok"].concurrency
    for _ in range(2):
        calls = [router.begin("grok", 50) for _ in range(8)]
        for call in calls:
            assert call is not None
            router.succeeded(call, 1.0)
    assert limit.limit == 9, "of each eight the last three found it less than half used"
    fail(router, "grok", FailureClass.SILENT)
    assert limit.limit == 6
    assert (router.describe("grok")["limit"], router.describe("grok")["limit_max"]) == (6, 16)


def test_a_call_is_repeated_only_within_the_budgets(router: AIRouter) -> None:
    fail(router, "grok", FailureClass.CALLER_FAULT, times=6)
    assert router.may_repeat("grok"), "what does not count for the breaker costs nothing"
    fail(router, "grok", FailureClass.TRANSIENT, times=5)
    assert not router.may_repeat("grok")
    assert router.may_hedge("claude")
    for _ in range(3):
        router.repeated()
    assert not router.may_hedge("claude"), "of so few calls no more than three"
    assert router.describe("claude")["retry_budget"] == {"tokens": 10.0, "repeats": 3, "calls": 11}


def test_a_seat_is_taken_at_once_where_nothing_holds_it_back(router: AIRouter) -> None:
    assert takes_at_once(router, "grok")
    router.room = lambda name: (0, 1.0)
    assert not takes_at_once(router, "grok")
    router.room = lambda name: (1, 0.0)
    router.paused = frozenset({"grok"})
    assert not takes_at_once(router, "grok")
    router.paused = frozenset()
    for _ in range(8):
        router.begin("grok", 50)
    assert not takes_at_once(router, "grok"), "every slot is busy"
    assert not takes_at_once(router, "nobody")
    fail(router, "claude", FailureClass.CREDENTIAL)
    assert not takes_at_once(router, "claude")


@pytest.mark.anyio
async def test_what_was_learned_of_a_service_survives_settings_that_mean_the_same_one(router: AIRouter, settings: Settings) -> None:
    fail(router, "grok", FailureClass.SILENT)
    call = router.begin("grok", 50)
    assert call is not None
    own = settings.providers["grok"].model_copy(update={"weight": 2.0, "max_concurrency": 4})
    other = settings.model_copy(update={"providers": settings.providers | {"grok": own}})
    await router.apply(other, settings, lambda name, table: Closing())
    assert router.states["grok"].concurrency.limit == 4
    router.failed(call, Failure(FailureClass.TRANSIENT, "x"))
    assert router.states["grok"].retries.tokens == 8, "a call that was under way still counts"
    moved = with_model(other, "grok", "another")
    await router.apply(moved, other, lambda name, table: Closing())
    assert (router.states["grok"].concurrency.limit, router.states["grok"].retries.tokens) == (4, 10)
    await router.aclose()
