"""The base of every settings model."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """A frozen model that takes no unknown key and converts nothing silently.

    It is built when the first table is validated, and the texts below its fields are read when the JSON Schema is
    made (``lvs_agent.config.schema.docstrings``): at a start, most models are not needed, and the texts never.

    Only its fields are compared and pickled, not what a ``cached_property`` has computed from them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)

    def __getstate__(self) -> dict[Any, Any]:
        state = super().__getstate__()
        state["__dict__"] = {name: value for name, value in self.__dict__.items() if name in type(self).model_fields}
        return state
