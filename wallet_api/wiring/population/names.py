"""Vietnamese names by sex, birth year and province. Pure; the weights are data, cited there."""

from __future__ import annotations

from functools import cache
from random import Random

from wallet_api.wiring.population.chance import Weighted, told

_NONE = "none"


def surname(draw: Random, province: str) -> str:
    """A family name: of the Kinh, or of the people at home in the province."""
    local = _local_families().get(province)
    return (local if local is not None and draw.random() < 0.6 else _families()).of(draw)


def given_name(draw: Random, sex: str, year: int, province: str) -> str:
    """Middle and given name, as they were given to those born in that year."""
    middle, given = (_of(part, sex, _cohort(year)).of(draw) for part in ("middle", "given"))
    return given if middle in (_NONE, given) else f"{middle} {given}"


def _cohort(year: int) -> str:
    if year < 1980:
        return "born_before_1980"
    return "1980_1999" if year < 2000 else "2000_on"


@cache
def _of(part: str, sex: str, cohort: str) -> Weighted[str]:
    return _weighted(told("names")[part][sex][cohort])


@cache
def _families() -> Weighted[str]:
    return _weighted(told("names")["families"])


@cache
def _local_families() -> dict[str, Weighted[str]]:
    patterns = told("names")["patterns"]
    return {code: _weighted(one["families"]) for one in patterns for code in one["provinces"]}


def _weighted(rows: list[tuple[str, float]]) -> Weighted[str]:
    return Weighted([name for name, _ in rows], [weight for _, weight in rows])
