"""A port that is told as free stays free: nobody's outgoing connection is given it meanwhile."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from wallet_api.infra import machine
from wallet_api.infra.machine import free_port, port_taken


def _handed_out() -> range:
    first, last = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    return range(int(first), int(last) + 1)


@pytest.mark.skipif(not machine._EPHEMERAL.exists(), reason="reads Linux's own range")
def test_it_is_none_that_the_kernel_hands_out() -> None:
    kernels = _handed_out()
    if kernels.start < 20_000:
        pytest.skip("this kernel hands out nearly all ports")
    assert not {free_port() for _ in range(200)} & set(kernels)


def test_two_who_ask_rarely_get_the_same() -> None:
    assert len({free_port() for _ in range(200)}) > 150


def test_one_that_is_listened_on_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        taken = held.getsockname()[1]
        monkeypatch.setattr(machine, "_own_ports", lambda: range(taken, taken + 1))
        found = free_port()
        assert found != taken and not port_taken(found)


@pytest.mark.parametrize("said", ["1024\t65535\n", "", "none\n", None])
def test_where_the_range_is_wide_or_unknown_there_is_a_port_all_the_same(
    said: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if said is not None:
        (tmp_path / "range").write_text(said)
    monkeypatch.setattr(machine, "_EPHEMERAL", tmp_path / "range")
    assert machine._own_ports() == range(16_384, 32_768)
    assert 1024 < free_port() < 65536
