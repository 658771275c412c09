"""F2, the broker: real ones are killed in mid-run; every reminder still goes out once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.brokers import rabbitmq, redis
from tests.faults.plant import planted
from tests.faults.pushing import Sending, send_through_failures

pytestmark = pytest.mark.soak
BROKERS = {"Redis": redis, "RabbitMQ": rabbitmq}


@pytest.mark.parametrize("name", BROKERS)
def test_a_broker_that_is_killed_forgets_messages_and_nothing_is_forgotten(name: str, tmp_path: Path) -> None:
    with BROKERS[name](tmp_path) as broker, planted(tmp_path, api=False) as plant:
        sending = Sending(plant, WALLET_BROKER_URL=broker.url)
        send_through_failures(
            sending, f"F2 {name} as broker", families=7, harm=lambda _: broker.kill(), times=1
        )
