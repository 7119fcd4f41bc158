from __future__ import annotations

import pytest

from lvs_agent.core.describe import describe
from lvs_agent.model.ipvs import (
    AddDestination,
    AddService,
    DeleteDestination,
    DeleteService,
    ForwardingMethod,
    Operation,
    ServiceKey,
    UpdateDestination,
    UpdateService,
)
from tests.builders import destination, service, service_key

KEY = service_key()
NAMES: dict[ServiceKey, str] = {KEY: "shop"}
ROW = destination(weight=3, forwarding=ForwardingMethod.MASQUERADE, port=8080)


@pytest.mark.parametrize(
    ("operation", "facts"),
    [
        (AddService(service(scheduler="mh")), {"operation": "add_service", "scheduler": "mh"}),
        (
            UpdateService(service(scheduler="rr"), ("scheduler", "persistence")),
            {"operation": "update_service", "scheduler": "rr", "changed": "scheduler,persistence"},
        ),
        (DeleteService(KEY), {"operation": "delete_service"}),
        (
            AddDestination(KEY, ROW),
            {"operation": "add_destination", "real_server": "10.0.0.1:8080", "forwarding": "masquerade", "weight": 3},
        ),
        (
            UpdateDestination(KEY, ROW, ("weight",)),
            {
                "operation": "update_destination",
                "real_server": "10.0.0.1:8080",
                "forwarding": "masquerade",
                "weight": 3,
                "changed": "weight",
            },
        ),
        (DeleteDestination(KEY, ROW.key), {"operation": "delete_destination", "real_server": "10.0.0.1:8080"}),
    ],
    ids=lambda value: value["operation"] if isinstance(value, dict) else "",
)
def test_operation_is_told_by_its_facts(operation: Operation, facts: dict[str, object]) -> None:
    """What is done, to which service, by the name that the operator gave it, and what makes the difference."""
    assert describe(operation, names=NAMES) == {"virtual_service": "shop", **facts}


def test_service_that_nobody_named_is_told_by_its_key() -> None:
    """One of an earlier configuration, say."""
    assert describe(DeleteService(KEY), names={})["virtual_service"] == "tcp/192.0.2.1:80"
