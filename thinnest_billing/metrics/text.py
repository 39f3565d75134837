"""Metrics as Prometheus reads them (text format 0.0.4)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "thinnest_billing_"
Number = int | float | Decimal
# The sample's suffix (_bucket, _sum, _count of a histogram, else nothing), its labels and its value.
Sample = tuple[str, Mapping[str, str], Number]


@dataclass(frozen=True, slots=True)
class Metric:
    """`name` without the product's prefix."""

    name: str
    kind: str
    help: str
    samples: list[Sample] = field(default_factory=list)


def gauge(name: str, help: str, value: Number, **labels: str) -> Metric:
    """A metric of one sample."""
    return Metric(name, "gauge", help, [("", labels, value)])


def write(metrics: Iterable[Metric]) -> str:
    return "".join(f"{line}\n" for metric in metrics for line in _lines(metric))


def _lines(metric: Metric) -> Iterator[str]:
    name = PREFIX + metric.name
    yield f"# HELP {name} {metric.help}"
    yield f"# TYPE {name} {metric.kind}"
    for suffix, labels, value in metric.samples:
        yield f"{name}{suffix}{_labels(labels)} {value}"


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items()) + "}"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
