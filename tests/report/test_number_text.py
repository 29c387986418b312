"""Numbers as text: each word against what a person would write."""

from __future__ import annotations

import math

import pytest

from engine.report import number_text
from store.metrics import METRICS

MB = 1 << 20


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (number_text.accuracy(0.60314, 0.00123, 3, 0.002), "60.31 ± 0.12 (n=3)"),
        (number_text.accuracy(0.60314, 0.0123, 3, 0.02), "60.3 ± 1.2 (n=3)"),
        (number_text.accuracy(0.60314, 0.0123, 3, 0.003), "60.3 ± 1.2 (n=3)"),
        (number_text.accuracy(0.60314, 0.0123, 3, 0.00299), "60.31 ± 1.23 (n=3)"),
        (number_text.accuracy(0.60314, 0.0123, 2), "60.3 ± 1.2 (n=2)"),
        (number_text.accuracy(0.60314, None, 1), "60.3 (n=1)"),
        (number_text.accuracy(None, None, 3), number_text.NONE),
        (number_text.accuracy(0.5, None, 0), number_text.NONE),
        (number_text.accuracy(0.0, 0.0, 2), "0.0 ± 0.0 (n=2)"),
        (number_text.points(-0.0062), "-0.6"),
        (number_text.points(0.0123, 0.0456), "+1.2 ± 4.6"),
        (number_text.points(None), number_text.NONE),
        (number_text.relative(1.1, 1.0), "+10.0 %"),
        (number_text.relative(1.0, 1.1), "-9.1 %"),
        (number_text.relative(0.0, 1.0), "-100.0 %"),
        (number_text.relative(1.0, 0.0), number_text.NONE),
        (number_text.relative(None, 1.0), number_text.NONE),
        (number_text.relative(1.0, None), number_text.NONE),
        (number_text.count(21_198_568), "21.20 M"),
        (number_text.count(4_080_000_000), "4.08 G"),
        (number_text.count(1_000_000_000), "1.00 G"),
        (number_text.count(1_000), "1.00 k"),
        (number_text.count(999), "999"),
        (number_text.count(-2_500_000), "-2.50 M"),
        (number_text.count(None), number_text.NONE),
        (number_text.speed(1234.6), "1,235"),
        (number_text.speed(0.01234), "0.0123"),
        (number_text.speed(51.25), "51.2"),
        (number_text.speed(None), number_text.NONE),
        (number_text.megabytes(1 << 30), "1,024"),
        (number_text.megabytes(1.5 * MB), "1.50"),
        (number_text.megabytes(None), number_text.NONE),
        (number_text.percent(0.1964), "19.6 %"),
        (number_text.percent(None), number_text.NONE),
        (number_text.significant(99.96), "100.0"),
        (number_text.significant(0.0), "0"),
        (number_text.significant(-0.5), "-0.500"),
        (number_text.significant(math.nan), "nan"),
        (number_text.significant(1234.5, 2), "1,234"),
        (number_text.significant(0.05678, 2), "0.057"),
        (number_text.duration(3999), "1 h 6 min"),
        (number_text.duration(3600), "1 h 0 min"),
        (number_text.duration(3599.4), "59 min 59 s"),
        (number_text.duration(61), "1 min 1 s"),
        (number_text.duration(60), "1 min 0 s"),
        (number_text.duration(59.4), "59 s"),
        (number_text.duration(59.6), "1 min 0 s"),
        (number_text.duration(90_000), "25 h 0 min"),
    ],
)
def test_numbers_read_as_a_person_writes_them(text: str, expected: str) -> None:
    assert text == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (number_text.spread(187.67, 1.04, number_text.speed), "188 ± 1"),
        (number_text.spread(51.5, 1.29, number_text.speed), "51.5 ± 1.3"),
        (number_text.spread(1030.0 * MB, 25.82 * MB, number_text.megabytes), "1,030 ± 26"),
        (number_text.spread(20_000.0 * MB, 1_234.0 * MB, number_text.megabytes), "20,000 ± 1,234"),
        (number_text.spread(21_400_000, 100_000, number_text.count), "21.40 M ± 100.00 k"),
        (number_text.spread(999.0, 12.4, number_text.count), "999 ± 12"),
        (number_text.spread(51.5, None, number_text.speed), "51.5"),
        (number_text.spread(51.5, 0.0, number_text.speed), "51.5"),
        (number_text.spread(150.0, 8_000.0, number_text.speed), "150 ± > 150"),
        (number_text.spread(0.0, 0.6, number_text.speed), "0 ± 1"),
        (number_text.spread(None, 1.0, number_text.speed), number_text.NONE),
    ],
)
def test_a_spread_has_the_decimals_and_unit_of_its_mean(text: str, expected: str) -> None:
    assert text == expected


@pytest.mark.parametrize(
    ("metric", "heading", "value", "text", "height"),
    [
        ("test_top1", "test top-1 [%]", 0.61234, "61.23", 61.234),
        ("params", "params", 21_400_000, "21.40 M", 21.4),
        ("infer_images_per_second", "inference [images/s]", 561.4, "561", 561.4),
        ("infer_latency", "latency [ms]", 1.2345, "1.23", 1.2345),
        ("host_peak_rss", "peak host memory (RSS) [MB]", 900 * MB, "900", 900),
        ("train_seconds", "training time", 200.0, "3 min 20 s", 200.0),
        ("val_loss", "val loss", 1.2345, "1.23", 1.2345),
    ],
)
def test_a_metric_is_shown_in_the_scale_of_its_unit(
    metric: str, heading: str, value: float, text: str, height: float
) -> None:
    scale = number_text.scale_of(METRICS[metric])
    assert number_text.heading(METRICS[metric]) == heading
    assert scale.write(value) == text
    assert value * scale.factor == pytest.approx(height)
