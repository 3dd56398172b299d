"""Specs refuse what makes no sense, and say why."""

import pytest
from pydantic import TypeAdapter, ValidationError

from teleop.tremor import FilterSpec, KalmanBankSpec, OneEuroSpec

ADAPTER = TypeAdapter(FilterSpec)


def test_kind_chooses_the_filter():
    assert ADAPTER.validate_python({"kind": "kalman_bank"}) == KalmanBankSpec()
    assert isinstance(ADAPTER.validate_python({"kind": "one_euro", "min_cutoff_hz": 2.0}), OneEuroSpec)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"kind": "median"}, "does not match any of the expected tags"),
        ({}, "Unable to extract tag"),
        ({"kind": "butterworth", "cutoff": 6.0}, "Extra inputs"),
        ({"kind": "butterworth", "cutoff_hz": float("nan")}, "finite"),
        ({"kind": "wflc", "band_hz": [14.0, 6.0]}, "swap the two"),
        ({"kind": "bmflc", "band_hz": [9.0, 9.0]}, "swap the two"),
        ({"kind": "kalman_bank", "noise_rms_m": 9e-5}, "no filter can tell"),
        ({"kind": "none", "max_gap_s": 5.0}, "less than or equal to 1"),
    ],
)
def test_a_wrong_key_or_value_is_refused(keys, words):
    with pytest.raises(ValidationError, match=words):
        ADAPTER.validate_python(keys)


def test_a_spec_survives_its_own_dump():
    for kind in ("none", "butterworth", "one_euro", "notch", "wflc", "bmflc", "bmflc_kf", "kalman_bank"):
        spec = ADAPTER.validate_python({"kind": kind})
        assert ADAPTER.validate_python(spec.model_dump()) == spec
