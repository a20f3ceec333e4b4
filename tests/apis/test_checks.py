"""Argument checks: wrong type TypeError, wrong value ValueError, the argument named."""

import pytest

from logstreamer.apis.checks import (
    check_engine,
    check_non_negative_number,
    check_positive_int,
    check_positive_number,
    default_if_unset,
)
from logstreamer.errors import ConfigError

NUMBER_CHECKS = [check_positive_int, check_positive_number, check_non_negative_number]


@pytest.mark.parametrize("check", NUMBER_CHECKS)
@pytest.mark.parametrize("value", ["1", None, [1], True, False])
def test_a_wrong_type_is_a_type_error_that_names_the_argument_and_the_type(check, value):
    with pytest.raises(TypeError, match=f"size must be .* but got {type(value).__name__}"):
        check("size", value)


@pytest.mark.parametrize("check", NUMBER_CHECKS)
def test_a_wrong_value_is_a_value_error_that_names_the_argument_and_shows_the_value(check):
    with pytest.raises(ValueError, match=r"size must .* but got -3") as caught:
        check("size", -3)

    assert isinstance(caught.value, ConfigError)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("check", [check_positive_number, check_non_negative_number])
def test_a_number_that_is_not_finite_is_a_value_error(check, value):
    with pytest.raises(ValueError, match="timeout must be a finite number"):
        check("timeout", value)


def test_zero_is_not_positive_but_not_negative_either():
    check_non_negative_number("timeout", 0)
    for check in (check_positive_int, check_positive_number):
        with pytest.raises(ValueError, match="greater than 0"):
            check("size", 0)


def test_a_float_is_no_int():
    check_positive_number("size", 1.5)
    with pytest.raises(TypeError, match="size must be an int but got float"):
        check_positive_int("size", 1.5)


@pytest.mark.parametrize("value", [None, 0, 0.0])
def test_none_and_zero_mean_the_default(value):
    assert default_if_unset(value, 5.0) == 5.0


@pytest.mark.parametrize("value", [False, "", [], 3, -1])
def test_anything_else_is_kept_for_the_check_that_follows(value):
    assert default_if_unset(value, 5.0) is value


def test_an_engine_that_cannot_stream_is_a_runtime_error_that_names_its_type():
    with pytest.raises(RuntimeError, match="must be StreamableEngine but got <class 'str'>"):
        check_engine("engine")
