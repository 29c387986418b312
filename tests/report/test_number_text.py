"""Numbers as text: each word against what a person would write."""

from __future__ import annotations

import math

import pytest

from engine.report import number_text as words
from store.metrics import METRICS

MB = 1 << 20


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (words.accuracy(0.60314, 0.00123, 3, 0.002), "60.31 ± 0.12 (n=3)"),
        (words.accuracy(0.60314, 0.0123, 3, 0.02), "60.3 ± 1.2 (n=3)"),
        (words.accuracy(0.60314, 0.0123, 3, 0.003), "60.3 ± 1.2 (n=3)"),
        (words.accuracy(0.60314, 0.0123, 3, 0.00299), "60.31 ± 1.23 (n=3)"),
        (words.accuracy(0.60314, 0.0123, 2), "60.3 ± 1.2 (n=2)"),
        (words.accuracy(0.60314, None, 1), "60.3 (n=1)"),
        (words.accuracy(None, None, 3), words.NONE),
        (words.accuracy(0.5, None, 0), words.NONE),
        (words.accuracy(0.0, 0.0, 2), "0.0 ± 0.0 (n=2)"),
        (words.points(-0.0062), "-0.6"),
        (words.points(0.0123, 0.0456), "+1.2 ± 4.6"),
        (words.points(None), words.NONE),
        (words.relative(1.1, 1.0), "+10.0 %"),
        (words.relative(1.0, 1.1), "-9.1 %"),
        (words.relative(0.0, 1.0), "-100.0 %"),
        (words.relative(1.0, 0.0), words.NONE),
        (words.relative(None, 1.0), words.NONE),
        (words.relative(1.0, None), words.NONE),
        (words.count(21_198_568), "21.20 M"),
        (words.count(4_080_000_000), "4.08 G"),
        (words.count(1_000_000_000), "1.00 G"),
        (words.count(1_000), "1.00 k"),
        (words.count(999), "999"),
        (words.count(-2_500_000), "-2.50 M"),
        (words.count(None), words.NONE),
        (words.speed(1234.6), "1,235"),
        (words.speed(0.01234), "0.0123"),
        (words.speed(51.25), "51.2"),
        (words.speed(None), words.NONE),
        (words.megabytes(1 << 30), "1,024"),
        (words.megabytes(1.5 * MB), "1.50"),
        (words.megabytes(None), words.NONE),
        (words.percent(0.1964), "19.6 %"),
        (words.percent(None), words.NONE),
        (words.significant(99.96), "100.0"),
        (words.significant(0.0), "0"),
        (words.significant(-0.5), "-0.500"),
        (words.significant(math.nan), "nan"),
        (words.significant(1234.5, 2), "1,234"),
        (words.significant(0.05678, 2), "0.057"),
        (words.duration(3999), "1 h 6 min"),
        (words.duration(3600), "1 h 0 min"),
        (words.duration(3599.4), "59 min 59 s"),
        (words.duration(61), "1 min 1 s"),
        (words.duration(60), "1 min 0 s"),
        (words.duration(59.4), "59 s"),
        (words.duration(59.6), "1 min 0 s"),
        (words.duration(90_000), "25 h 0 min"),
    ],
)
def test_numbers_read_as_a_person_writes_them(text: str, expected: str) -> None:
    assert text == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (words.spread(187.67, 1.04, words.speed), "188 ± 1"),
        (words.spread(51.5, 1.29, words.speed), "51.5 ± 1.3"),
        (words.spread(1030.0 * MB, 25.82 * MB, words.megabytes), "1,030 ± 26"),
        (words.spread(20_000.0 * MB, 1_234.0 * MB, words.megabytes), "20,000 ± 1,234"),
        (words.spread(21_400_000, 100_000, words.count), "21.40 M ± 100.00 k"),
        (words.spread(999.0, 12.4, words.count), "999 ± 12"),
        (words.spread(51.5, None, words.speed), "51.5"),
        (words.spread(51.5, 0.0, words.speed), "51.5"),
        (words.spread(0.0, 0.6, words.speed), "0 ± 1"),
        (words.spread(None, 1.0, words.speed), words.NONE),
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
    scale = words.scale_of(METRICS[metric])
    assert words.heading(METRICS[metric]) == heading
    assert scale.write(value) == text
    assert value * scale.factor == pytest.approx(height)
