"""The base of every settings model."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """A frozen model that takes no unknown key and converts nothing silently.

    It is built when the first table is validated, and the texts below its fields are read when the JSON Schema is
    made (``lvs_agent.config.schema.docstrings``): at a start, most models are not needed, and the texts never.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)
