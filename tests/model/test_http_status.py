from __future__ import annotations

import pytest

from lvs_agent.model.http_status import reason_phrase


@pytest.mark.parametrize(
    ("status", "phrase"),
    [(200, "OK"), (404, "Not Found"), (413, "Payload Too Large"), (503, "Service Unavailable"), (599, "Unknown code")],
)
def test_status_has_its_registered_phrase(status: int, phrase: str) -> None:
    """The phrase does not depend on the version of Python; a status that nobody registered is unknown."""
    assert reason_phrase(status) == phrase
