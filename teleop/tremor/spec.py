"""What a user may say about the tremor filter, in TOML: one table, told apart by ``kind``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Positive = Annotated[float, Field(gt=0.0)]
TremorHz = Annotated[float, Field(ge=1.0, le=30.0)]


class _Base(BaseModel):
    """Keys of every filter.

    Attributes:
        max_gap_s: a longer silence resets the filter; shorter ones it bridges.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    max_gap_s: Annotated[float, Field(ge=0.005, le=1.0)] = 0.05


class NoFilterSpec(_Base):
    """The hand as measured."""

    kind: Literal["none"] = "none"


class ButterworthSpec(_Base):
    """Low-pass after Butterworth (1930), the classic whose lag is worse than the tremor.

    Attributes:
        cutoff_hz: -3 dB frequency.
        order: 1 to 6.
    """

    kind: Literal["butterworth"] = "butterworth"
    cutoff_hz: Annotated[float, Field(gt=0.0, le=30.0)] = 6.0
    order: Annotated[int, Field(ge=1, le=6)] = 2


class OneEuroSpec(_Base):
    """Speed-adaptive low-pass after Casiez, Roussel & Vogel (CHI 2012).

    Attributes:
        min_cutoff_hz: cutoff at rest.
        beta_hz_s_m: how much the cutoff rises with speed, Hz per m/s. It carries units: a value meant for
            millimetres is a thousand times too small.
        derivative_cutoff_hz: cutoff of the speed estimate.
        lever_m: what makes a rotation's speed comparable: rad/s times this is m/s.
    """

    kind: Literal["one_euro"] = "one_euro"
    min_cutoff_hz: Positive = 1.0
    beta_hz_s_m: Annotated[float, Field(ge=0.0)] = 5000.0
    derivative_cutoff_hz: Positive = 1.0
    lever_m: Positive = 0.1


class NotchSpec(_Base):
    """A cascade of fixed second-order notches.

    Attributes:
        frequencies_hz: centre of each.
        quality: centre over -3 dB width.
    """

    kind: Literal["notch"] = "notch"
    frequencies_hz: Annotated[tuple[TremorHz, ...], Field(min_length=1, max_length=8)] = (8.5, 11.0)
    quality: Annotated[float, Field(ge=0.2, le=50.0)] = 4.0


class WflcSpec(_Base):
    """Weighted-frequency Fourier linear combiner after Riviere, Rader & Thakor (1998).

    Attributes:
        harmonics: sinusoids, multiples of the tracked frequency.
        start_hz: frequency before anything is known.
        band_hz: the tracked frequency stays inside; also the band-pass before the tracker.
        weight_step: adaptation gain ``mu`` of the tracker's weights, a sample.
        frequency_step: adaptation gain ``mu_0`` of the frequency, rad/s a sample.
        cancel_step: adaptation gain ``mu_c`` of the canceller's weights, which sees the unfiltered signal.
        bias_step: adaptation gain ``mu_b`` of the bias.
    """

    kind: Literal["wflc"] = "wflc"
    harmonics: Annotated[int, Field(ge=1, le=4)] = 1
    start_hz: TremorHz = 9.0
    band_hz: tuple[TremorHz, TremorHz] = (6.0, 15.0)
    weight_step: Positive = 5e-3
    frequency_step: Positive = 2e-2
    cancel_step: Positive = 1e-2
    bias_step: Positive = 1e-2

    @field_validator("band_hz")
    @classmethod
    def _ascends(cls, band: tuple[float, float]) -> tuple[float, float]:
        return _ascending(band)


class _BandSpec(_Base):
    """Keys of the band-limited multiple Fourier linear combiners.

    Attributes:
        band_hz: first and last sinusoid.
        spacing_hz: distance between sinusoids.
        high_pass_hz: cutoff of the second-order high-pass that keeps voluntary motion from the combiner. Its
            phase is the method's weakness.
    """

    band_hz: tuple[TremorHz, TremorHz] = (6.0, 14.0)
    spacing_hz: Annotated[float, Field(ge=0.1, le=2.0)] = 0.5
    high_pass_hz: Annotated[float, Field(gt=0.0, le=6.0)] = 2.0

    @field_validator("band_hz")
    @classmethod
    def _ascends(cls, band: tuple[float, float]) -> tuple[float, float]:
        return _ascending(band)


class BmflcSpec(_BandSpec):
    """Band-limited multiple Fourier linear combiner, LMS, after Veluvolu, Latt & Ang (2010).

    Attributes:
        step: adaptation gain ``mu`` of the weights.
    """

    kind: Literal["bmflc"] = "bmflc"
    step: Positive = 3e-3


class BmflcKfSpec(_BandSpec):
    """The same combiner with a Kalman filter on random-walk weights, after Veluvolu & Ang (2011).

    Attributes:
        walk_ratio: variance a weight gains in a second, over the noise variance.
    """

    kind: Literal["bmflc_kf"] = "bmflc_kf"
    walk_ratio: Positive = 0.02


class KalmanBankSpec(_Base):
    """Joint Kalman observer of voluntary motion and a tremor bank: the one to use.

    Only the ratios of the three levels matter, so one tuning serves position and rotation.

    Attributes:
        tremor_rms_m: tremor the gains are made for.
        noise_rms_m: sensor noise the gains are made for.
        jerk_density_m2_s5: how lively intent is: spectral density of the voluntary jerk. More means less
            delay and less cut.
        tracks: follow the tremor's peaks and fall back at 3 to 6 Hz; off, one wide static gain.
    """

    kind: Literal["kalman_bank"] = "kalman_bank"
    tremor_rms_m: Annotated[float, Field(ge=1e-6, le=2e-3)] = 50e-6
    noise_rms_m: Annotated[float, Field(ge=1e-7, le=1e-4)] = 5.4e-6
    jerk_density_m2_s5: Annotated[float, Field(ge=1e-5, le=1e2)] = 6e-3
    tracks: bool = True

    @model_validator(mode="after")
    def _tremor_above_noise(self) -> KalmanBankSpec:
        if self.noise_rms_m > self.tremor_rms_m:
            raise ValueError(
                f"noise_rms_m ({self.noise_rms_m:g}) is above tremor_rms_m ({self.tremor_rms_m:g}): no "
                "filter can tell the two apart; give the sensor's noise and the hand's tremor"
            )
        return self


def _ascending(band: tuple[float, float]) -> tuple[float, float]:
    low, high = band
    if low >= high:
        raise ValueError(f"a band is [lowest, highest] in Hz; got [{low:g}, {high:g}]: swap the two")
    return band


FilterSpec = Annotated[
    NoFilterSpec
    | ButterworthSpec
    | OneEuroSpec
    | NotchSpec
    | WflcSpec
    | BmflcSpec
    | BmflcKfSpec
    | KalmanBankSpec,
    Field(discriminator="kind"),
]
"""Any filter, for a field of another model: ``tremor: FilterSpec = KalmanBankSpec()``."""
