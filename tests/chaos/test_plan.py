"""The schedule is a pure function of the seed, and has everything in it."""

from __future__ import annotations

from itertools import islice

from tests.chaos.plan import SCHEMES, make_plan


def test_one_seed_is_one_schedule():
    one, same, other = make_plan(7, 60.0), make_plan(7, 60.0), make_plan(8, 60.0)

    assert one == same
    assert one != other
    for spec in one.files:
        assert one.rotations(spec) == same.rotations(spec)
        assert list(islice(one.bursts(spec), 50)) == list(islice(same.bursts(spec), 50))
        assert one.filler(spec).randbytes(50) == same.filler(spec).randbytes(50)


def test_logs_of_one_run_do_not_do_the_same():
    plan = make_plan(7, 60.0)

    first, second = plan.files[:2]
    assert plan.filler(first).randbytes(50) != plan.filler(second).randbytes(50)
    assert plan.rotations(first) != plan.rotations(second)


def test_some_seeds_together_have_every_fault_and_every_rotation():
    plans = [make_plan(seed, 60.0) for seed in range(12)]

    faults = {fault.kind for plan in plans for fault in plan.faults}
    assert faults == {"kill", "freeze", "cut", "cut_after", "stall", "delay", "throttle", "refuse", "half_open"}
    assert {spec.scheme for plan in plans for spec in plan.files} == set(SCHEMES)
    rotations = {rotation.kind for plan in plans for spec in plan.files for rotation in plan.rotations(spec)}
    assert rotations == {"rename", "copytruncate", "rollover", "delete", "truncate"}


def test_faults_stay_within_the_run_and_come_in_order():
    for seed in range(12):
        moments = [fault.at for fault in make_plan(seed, 30.0).faults]
        assert moments == sorted(moments)
        assert moments[0] >= 0
        assert moments[-1] < 33.0
