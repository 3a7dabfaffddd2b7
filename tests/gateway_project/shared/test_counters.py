"""What every kind of counters does, run against each of them."""

import asyncio
from collections import Counter

import pytest

from gateway_project.shared.counters import (
    Admitted,
    Balance,
    BalanceNeeded,
    CounterStore,
    Limit,
    Refused,
)
from tests.gateway_project.shared.counting import (
    DAY,
    FUTURE,
    PAST,
    SUBJECT,
    TOTAL,
    admit,
    cost,
    limit,
    load,
    requests,
    usage,
)


class TestAdmit:
    async def test_it_needs_a_balance_for_an_unknown_subject(self, store: CounterStore) -> None:
        assert await admit(store, "a") == BalanceNeeded()

    async def test_it_reserves_under_every_limit(self, store: CounterStore) -> None:
        await load(store, {requests(): 3, TOTAL: 20})
        admission = await admit(store, "a", limit(requests(), amount=1), limit(TOTAL, amount=70))
        assert admission == Admitted(((3, 1), (20, 70)))

    async def test_it_passes_what_just_fits(self, store: CounterStore) -> None:
        await load(store, {TOTAL: 90})
        assert await admit(store, "a", limit(maximum=100, amount=10)) == Admitted(((90, 10),))

    async def test_it_refuses_what_does_not_fit_and_says_what_stands_in_the_way(self, store: CounterStore) -> None:
        await load(store, {TOTAL: 50})
        await admit(store, "a", limit(amount=45))
        assert await admit(store, "b", limit(amount=6)) == Refused(limit(amount=6), used=50, reserved=45)

    async def test_it_takes_nothing_when_one_limit_has_no_room(self, store: CounterStore) -> None:
        await load(store, {requests(): 0, TOTAL: 100})
        first, second = limit(requests(), amount=1), limit(TOTAL, amount=1)
        assert await admit(store, "a", first, second) == Refused(second, used=100, reserved=0)
        assert await usage(store, requests(), TOTAL) == ((0, 0), (100, 0))

    async def test_it_names_the_first_limit_without_room(self, store: CounterStore) -> None:
        await load(store, {requests(): 100, TOTAL: 100})
        first, second = limit(requests(), amount=1), limit(TOTAL, amount=1)
        assert await admit(store, "a", first, second) == Refused(first, used=100, reserved=0)

    async def test_it_refuses_even_nothing_beyond_a_lowered_maximum(self, store: CounterStore) -> None:
        await load(store, {TOTAL: 100})
        assert isinstance(await admit(store, "a", limit(maximum=99, amount=0)), Refused)
        assert isinstance(await admit(store, "b", limit(maximum=100, amount=0)), Admitted)

    async def test_it_adds_up_what_one_id_reserves(self, store: CounterStore) -> None:
        await load(store, {TOTAL: 0})
        await admit(store, "a", limit(amount=10))
        assert await admit(store, "a", limit(amount=5)) == Admitted(((0, 15),))
        assert await store.settle(SUBJECT, "a", {TOTAL: 12})
        assert await usage(store) == ((12, 0),)

    async def test_it_keeps_subjects_apart(self, store: CounterStore) -> None:
        await load(store, {TOTAL: 100})
        await load(store, {TOTAL: 1}, subject="key:two")
        admission = await store.admit("key:two", "a", [limit()], 60)
        assert admission == Admitted(((1, 10),))

    async def test_it_lets_exactly_as_many_pass_as_there_is_room_for(self, store: CounterStore) -> None:
        await load(store, {requests(): 0})
        one = limit(requests(), maximum=50, amount=1)
        admissions = await asyncio.gather(*[admit(store, str(number), one) for number in range(200)])
        assert Counter(type(admission) for admission in admissions) == {Admitted: 50, Refused: 150}

    @pytest.mark.parametrize("amount", [2**53 - 1, 10**15, 123_456_789_012_345])
    async def test_it_counts_large_amounts_exactly(self, store: CounterStore, amount: int) -> None:
        await load(store, {TOTAL: amount - 1})
        assert await admit(store, "a", Limit(TOTAL, 0, 2**53, 1)) == Admitted(((amount - 1, 1),))
        await store.settle(SUBJECT, "a", {TOTAL: 1})
        assert await usage(store) == ((amount, 0),)

    async def test_it_reserves_large_amounts_exactly(self, store: CounterStore) -> None:
        await load(store, {TOTAL: 0})
        assert await admit(store, "a", Limit(TOTAL, 0, 2**53, 2**53 - 1)) == Admitted(((0, 2**53 - 1),))
        assert isinstance(await admit(store, "b", Limit(TOTAL, 0, 2**53, 2)), Refused)


class TestSettle:
    async def test_it_replaces_the_reserved_by_the_truth(self, store: CounterStore) -> None:
        await load(store, {requests(): 0, TOTAL: 0})
        await admit(store, "a", limit(requests(), amount=1), limit(TOTAL, amount=50))
        assert await store.settle(SUBJECT, "a", {requests(): 1, TOTAL: 7})
        assert await usage(store, requests(), TOTAL) == ((1, 0), (7, 0))

    async def test_it_counts_a_truth_beyond_the_estimate(self, store: CounterStore) -> None:
        await load(store, {TOTAL: 0})
        await admit(store, "a", limit(amount=1))
        assert await store.settle(SUBJECT, "a", {TOTAL: 500})
        assert await usage(store) == ((500, 0),)

    async def test_it_adds_nothing_the_second_time(self, store: CounterStore) -> None:
        await load(store, {TOTAL: 0})
        await admit(store, "a")
        assert await store.settle(SUBJECT, "a", {TOTAL: 7})
        assert await store.settle(SUBJECT, "a", {TOTAL: 7})
        assert await usage(store) == ((7, 0),)

    async def test_it_puts_a_subject_in_doubt_that_does_not_know_the_reservation(self, store: CounterStore) -> None:
        await load(store, {TOTAL: 0})
        assert not await store.settle(SUBJECT, "unknown", {TOTAL: 7})
        assert await admit(store, "a") == BalanceNeeded()
        await load(store, {TOTAL: 7})
        assert await usage(store) == ((7, 0),)

    async def test_it_knows_nothing_of_an_unknown_subject(self, store: CounterStore) -> None:
        assert not await store.settle(SUBJECT, "a", {TOTAL: 7})
        assert await admit(store, "b") == BalanceNeeded()

    async def test_it_passes_over_counters_that_are_not_loaded(self, store: CounterStore) -> None:
        await load(store, {TOTAL: 0})
        await admit(store, "a")
        assert await store.settle(SUBJECT, "a", {TOTAL: 7, cost(): 7, requests(): 1})
        assert await usage(store) == ((7, 0),)

    async def test_it_counts_under_a_limit_that_came_while_the_request_ran(self, store: CounterStore) -> None:
        await load(store, {requests(): 0})
        await admit(store, "a", limit(requests(), amount=1))
        await load(store, {requests(): 0, TOTAL: 0})
        assert await store.settle(SUBJECT, "a", {requests(): 1, TOTAL: 7})
        assert await usage(store, requests(), TOTAL) == ((1, 0), (7, 0))


class TestWindows:
    async def test_it_begins_a_later_window_with_nothing(self, store: CounterStore) -> None:
        await load(store, {cost(): 100})
        assert isinstance(await admit(store, "a", limit(cost(), amount=1)), Refused)
        later = cost(start_at=FUTURE + DAY)
        assert await admit(store, "b", limit(later)) == Admitted(((0, 10),))

    async def test_it_begins_a_later_epoch_of_the_same_window_with_nothing(self, store: CounterStore) -> None:
        await load(store, {cost(epoch=1): 100})
        assert await admit(store, "a", limit(cost(epoch=2))) == Admitted(((0, 10),))

    async def test_it_counts_who_is_late_in_the_current_window(self, store: CounterStore) -> None:
        await load(store, {cost(start_at=FUTURE + DAY): 5})
        assert await admit(store, "a", limit(cost(start_at=FUTURE, epoch=9))) == Admitted(((5, 10),))
        assert await store.settle(SUBJECT, "a", {cost(start_at=FUTURE, epoch=9): 8})
        assert await usage(store, cost(start_at=FUTURE + DAY)) == ((13, 0),)

    async def test_it_counts_an_earlier_epoch_in_the_current_one(self, store: CounterStore) -> None:
        await load(store, {cost(epoch=2): 5})
        assert await admit(store, "a", limit(cost(epoch=1))) == Admitted(((5, 10),))

    async def test_it_keeps_a_reservation_out_of_the_next_window(self, store: CounterStore) -> None:
        await load(store, {cost(): 0})
        await admit(store, "a", limit(cost(), amount=30))
        later = cost(start_at=FUTURE + DAY)
        assert await usage(store, later) == ((0, 0),)
        assert await store.settle(SUBJECT, "a", {cost(): 30})
        assert await usage(store, later) == ((0, 0),)

    async def test_it_moves_each_window_on_its_own(self, store: CounterStore) -> None:
        await load(store, {requests(): 5, cost(): 6, TOTAL: 7})
        later = requests(start_at=FUTURE + 60)
        assert await usage(store, later, cost(), TOTAL) == ((0, 0), (6, 0), (7, 0))

    async def test_it_needs_a_balance_for_a_window_from_before_it_was_loaded(self, store: CounterStore) -> None:
        await load(store, {cost(start_at=PAST): 5})
        later = cost(start_at=PAST + DAY)
        assert await admit(store, "a", limit(later)) == BalanceNeeded()
        await load(store, {later: 50})
        assert await admit(store, "a", limit(later)) == Admitted(((50, 10),))

    async def test_it_needs_a_balance_for_a_limit_that_is_new(self, store: CounterStore) -> None:
        await load(store, {requests(): 0})
        both = (limit(requests(), amount=1), limit(TOTAL))
        assert await admit(store, "a", *both) == BalanceNeeded()
        assert await usage(store, requests()) == ((0, 0),)
        await load(store, {requests(): 0, TOTAL: 40})
        assert await admit(store, "a", *both) == Admitted(((0, 1), (40, 10)))

    async def test_it_needs_a_balance_for_a_limit_that_was_gone_for_a_while(self, store: CounterStore) -> None:
        await load(store, {requests(): 0, TOTAL: 40})
        await usage(store, requests())
        assert await admit(store, "a", limit(requests()), limit(TOTAL)) == BalanceNeeded()

    async def test_it_does_not_mind_the_order_of_limits(self, store: CounterStore) -> None:
        await load(store, {requests(): 1, TOTAL: 2})
        assert await usage(store, TOTAL, requests()) == ((2, 0), (1, 0))
        assert await usage(store, requests(), TOTAL) == ((1, 0), (2, 0))


class TestLeases:
    async def test_it_frees_the_amounts_and_needs_a_balance_when_one_ends(self, store: CounterStore) -> None:
        await load(store, {TOTAL: 0})
        await admit(store, "a", limit(amount=60), lease_s=0)
        assert await admit(store, "b") == BalanceNeeded()
        await load(store, {TOTAL: 0})
        assert await usage(store) == ((0, 0),)

    async def test_it_keeps_what_is_renewed(self, store: CounterStore) -> None:
        await load(store, {TOTAL: 0})
        await admit(store, "a", limit(amount=60), lease_s=0)
        await store.renew([(SUBJECT, "a"), (SUBJECT, "unknown"), ("key:unknown", "a")], 60)
        assert await usage(store) == ((0, 60),)

    async def test_it_does_not_renew_what_has_ended(self, store: CounterStore) -> None:
        await load(store, {TOTAL: 0})
        await admit(store, "a", limit(amount=60), lease_s=0)
        assert await admit(store, "b") == BalanceNeeded()
        await store.renew([(SUBJECT, "a")], 60)
        await load(store, {TOTAL: 0})
        assert await usage(store) == ((0, 0),)

    async def test_it_lets_what_has_ended_not_end_again(self, store: CounterStore) -> None:
        await load(store, {TOTAL: 0})
        await admit(store, "a", lease_s=0)
        await load(store, {TOTAL: 0})
        await store.renew([(SUBJECT, "a")], 0)
        assert await usage(store) == ((0, 0),)

    async def test_it_keeps_the_longer_of_two_leases(self, store: CounterStore) -> None:
        await load(store, {TOTAL: 0})
        await admit(store, "a", limit(amount=1), lease_s=60)
        await admit(store, "a", limit(amount=1), lease_s=0)
        assert await usage(store) == ((0, 2),)

    async def test_it_settles_late_what_is_not_in_the_balance(self, store: CounterStore) -> None:
        await load(store, {TOTAL: 0})
        await admit(store, "a", limit(amount=60), lease_s=0)
        await admit(store, "b")
        await load(store, {TOTAL: 3})
        assert await store.settle(SUBJECT, "a", {TOTAL: 40})
        assert await usage(store) == ((43, 0),)

    async def test_it_adds_nothing_late_that_is_in_the_balance(self, store: CounterStore) -> None:
        await load(store, {TOTAL: 0})
        await admit(store, "a", limit(amount=60), lease_s=0)
        ticket = await store.begin_rebuild(SUBJECT)
        assert ticket.live == ("a",)
        assert await store.finish_rebuild(SUBJECT, ticket, Balance({TOTAL: 43}, frozenset({"a"})))
        assert await store.settle(SUBJECT, "a", {TOTAL: 40})
        assert await usage(store) == ((43, 0),)

    async def test_it_settles_in_time_what_nobody_noticed_to_have_ended(self, store: CounterStore) -> None:
        await load(store, {TOTAL: 0})
        await admit(store, "a", limit(amount=60), lease_s=0)
        assert await store.settle(SUBJECT, "a", {TOTAL: 40})
        assert await usage(store) == ((40, 0),)


class TestExtend:
    async def test_it_reserves_more_for_the_same_reservation(self, store: CounterStore) -> None:
        await load(store, {requests(): 0, TOTAL: 0})
        await admit(store, "a", limit(requests(), amount=1), limit(TOTAL, amount=10))
        assert await store.extend(SUBJECT, "a", [limit(TOTAL, amount=20)]) == Admitted(((0, 30),))
        assert await store.settle(SUBJECT, "a", {requests(): 1, TOTAL: 25})
        assert await usage(store, requests(), TOTAL) == ((1, 0), (25, 0))

    async def test_it_takes_nothing_without_room(self, store: CounterStore) -> None:
        await load(store, {TOTAL: 0})
        await admit(store, "a", limit(amount=90))
        more = limit(amount=20)
        assert await store.extend(SUBJECT, "a", [more]) == Refused(more, used=0, reserved=90)
        assert await usage(store) == ((0, 90),)

    async def test_it_begins_anew_what_has_ended(self, store: CounterStore) -> None:
        await load(store, {TOTAL: 0})
        await admit(store, "a", limit(amount=60), lease_s=0)
        await admit(store, "b", lease_s=60)
        await load(store, {TOTAL: 0})
        assert await store.extend(SUBJECT, "a", [limit(amount=5)]) == Admitted(((0, 5),))
        assert await usage(store) == ((0, 5),)

    async def test_it_needs_a_balance_while_one_is_needed(self, store: CounterStore) -> None:
        await load(store, {TOTAL: 0})
        await admit(store, "a")
        await store.begin_rebuild(SUBJECT)
        assert await store.extend(SUBJECT, "a", [limit(amount=5)]) == BalanceNeeded()


class TestRebuild:
    async def test_it_admits_nobody_until_it_is_finished(self, store: CounterStore) -> None:
        await load(store, {TOTAL: 0})
        ticket = await store.begin_rebuild(SUBJECT)
        assert await admit(store, "a") == BalanceNeeded()
        await store.finish_rebuild(SUBJECT, ticket, Balance({TOTAL: 1}))
        assert await admit(store, "a") == Admitted(((1, 10),))

    async def test_it_keeps_what_runs(self, store: CounterStore) -> None:
        await load(store, {TOTAL: 0})
        await admit(store, "a", limit(amount=30))
        ticket = await store.begin_rebuild(SUBJECT)
        assert ticket.live == ("a",)
        await store.finish_rebuild(SUBJECT, ticket, Balance({TOTAL: 5}))
        assert await usage(store) == ((5, 30),)
        assert await store.settle(SUBJECT, "a", {TOTAL: 20})
        assert await usage(store) == ((25, 0),)

    async def test_it_adds_what_was_settled_meanwhile(self, store: CounterStore) -> None:
        await load(store, {TOTAL: 0})
        await admit(store, "a", limit(amount=30))
        ticket = await store.begin_rebuild(SUBJECT)
        assert await store.settle(SUBJECT, "a", {TOTAL: 20})
        await store.finish_rebuild(SUBJECT, ticket, Balance({TOTAL: 5}))
        assert await usage(store) == ((25, 0),)

    async def test_it_does_not_add_twice_what_was_settled_meanwhile(self, store: CounterStore) -> None:
        await load(store, {TOTAL: 0})
        await admit(store, "a", limit(amount=30))
        ticket = await store.begin_rebuild(SUBJECT)
        assert await store.settle(SUBJECT, "a", {TOTAL: 20})
        await store.finish_rebuild(SUBJECT, ticket, Balance({TOTAL: 25}, frozenset({"a"})))
        assert await usage(store) == ((25, 0),)

    async def test_it_frees_what_runs_and_is_in_the_balance(self, store: CounterStore) -> None:
        await load(store, {TOTAL: 0})
        await admit(store, "a", limit(amount=30))
        ticket = await store.begin_rebuild(SUBJECT)
        await store.finish_rebuild(SUBJECT, ticket, Balance({TOTAL: 20}, frozenset({"a"})))
        assert await usage(store) == ((20, 0),)
        assert await store.settle(SUBJECT, "a", {TOTAL: 20})
        assert await usage(store) == ((20, 0),)

    async def test_it_lets_the_first_of_two_finish(self, store: CounterStore) -> None:
        await load(store, {TOTAL: 0})
        first, second = await store.begin_rebuild(SUBJECT), await store.begin_rebuild(SUBJECT)
        assert await store.finish_rebuild(SUBJECT, second, Balance({TOTAL: 5}))
        assert not await store.finish_rebuild(SUBJECT, first, Balance({TOTAL: 6}))
        assert await usage(store) == ((5, 0),)

    async def test_it_asks_who_joins_about_all_that_was_settled_meanwhile(self, store: CounterStore) -> None:
        await load(store, {TOTAL: 0})
        await admit(store, "a", limit(amount=30))
        await store.begin_rebuild(SUBJECT)
        await store.settle(SUBJECT, "a", {TOTAL: 20})
        joined = await store.begin_rebuild(SUBJECT)
        assert joined.live == ("a",)
        assert await store.finish_rebuild(SUBJECT, joined, Balance({TOTAL: 20}, frozenset(joined.live)))
        assert await usage(store) == ((20, 0),)

    async def test_it_refuses_a_ticket_of_another_rebuild(self, store: CounterStore) -> None:
        old = await store.begin_rebuild(SUBJECT)
        await store.finish_rebuild(SUBJECT, old, Balance({TOTAL: 0}))
        new = await store.begin_rebuild(SUBJECT)
        assert not await store.finish_rebuild(SUBJECT, old, Balance({TOTAL: 50}))
        assert await store.finish_rebuild(SUBJECT, new, Balance({TOTAL: 1}))
        assert await usage(store) == ((1, 0),)

    async def test_it_refuses_a_ticket_for_what_it_does_not_know(self, store: CounterStore) -> None:
        ticket = await store.begin_rebuild(SUBJECT)
        assert not await store.finish_rebuild("key:unknown", ticket, Balance({TOTAL: 50}))

    async def test_it_stays_in_doubt_when_something_unknown_is_settled_meanwhile(self, store: CounterStore) -> None:
        ticket = await store.begin_rebuild(SUBJECT)
        assert not await store.settle(SUBJECT, "unknown", {TOTAL: 5})
        assert await store.finish_rebuild(SUBJECT, ticket, Balance({TOTAL: 0}))
        assert await admit(store, "a") == BalanceNeeded()

    async def test_it_forgets_counters_that_are_not_in_the_balance(self, store: CounterStore) -> None:
        await load(store, {requests(): 1, TOTAL: 2})
        await load(store, {requests(): 1})
        assert await admit(store, "a", limit(requests()), limit(TOTAL)) == BalanceNeeded()

    async def test_it_ignores_the_balance_of_a_window_that_is_over(self, store: CounterStore) -> None:
        await load(store, {cost(start_at=PAST): 99})
        assert await admit(store, "a", limit(cost())) == Admitted(((0, 10),))
